"""What tests of a pull share: the models on the hub, what is needed of their files, and a watcher."""

from triptych_server.models.model_name import model_name

CLIP, FACES = model_name("ViT-B-32__openai"), model_name("buffalo_l")

WEIGHTS = "visual/model.onnx"


class Heard:
    """A watcher that writes down what it hears."""

    def __init__(self):
        self.total = self.there = self.came = 0
        self.said = []

    def begin(self, total, there):
        self.total, self.there = total, there

    def advance(self, size):
        self.came += size

    def say(self, sentence):
        self.said.append(sentence)


def files_of(folder):
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def needed(files):
    return {path: data for path, data in files.items() if not path.endswith((".armnn", ".rknn", ".md", ".gitattributes"))}
