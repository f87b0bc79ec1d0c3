"""clip_tokenize: texts in, the text tower's token ids out."""

from collections.abc import Mapping

from triptych_server.serving.instance import Instance
from triptych_server.serving.mapped import Answer, MappedModel
from triptych_server.sessions.protocol import Arrays
from triptych_server.text.tokenizer import ClipTokenizer


class TritonPythonModel(MappedModel):
    """`text` STRING [B,1], optional `language` STRING [B,1] -> `tokens` INT32 [B,L]."""

    def prepare(self, instance: Instance, parameters: Mapping[str, str]) -> Answer:
        """Load tokenizer.json and read its options from the model's parameters."""
        tokenizer = ClipTokenizer.from_parameters(instance.folder / "tokenizer.json", parameters)

        def answer(inputs: Arrays) -> Arrays:
            languages = inputs["language"][:, 0] if "language" in inputs else None
            return {"tokens": tokenizer.encode_batch(inputs["text"][:, 0], languages)}

        return answer
