/* Stands in for Arm NN's delegate: takes the additions of a network and computes them on the processor.
 *
 * As the real one of 2024, it refuses options that it does not know, drops options for backends that it has not read of yet, leaves out
 * backends that it was built without and refuses when none is left, keeps the first delegate's tuning for the whole process, tunes
 * when a network first runs, writes the tuning file when the process ends, saves compiled kernels to a file that exists, and ends the process
 * when such a file is broken. What it was given stands in <library>.options, a line for each delegate. `CpuRef` alone makes it take nothing.
 * The structures are the part of LiteRT's C interface that a delegate sees, in its layout.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;

typedef struct {
    int type;
    float *data;
    IntArray *dims;
    struct { float scale; int32_t zero_point; } params;
    int allocation_type;
    size_t bytes;
    const void *allocation;
    const char *name;
    Delegate *delegate;
    int buffer_handle;
    bool data_is_stale, is_variable;
    struct { int type; void *params; } quantization;
    void *sparsity;
    const IntArray *dims_signature;
} Tensor;

typedef struct {
    IntArray *inputs, *outputs, *intermediates, *temporaries;
    void *user_data, *builtin_data;
} Node;

typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling_string)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *more[3];
} Registration;

struct Context {
    size_t tensors_size;
    int (*GetExecutionPlan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl;
    int (*ResizeTensor)(Context *, Tensor *, IntArray *);
    void (*ReportError)(Context *, const char *, ...);
    int (*AddTensors)(Context *, int, int *);
    int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
    int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const IntArray *, Delegate *);
};

struct Delegate {
    void *data;
    int (*Prepare)(Context *, Delegate *);
    void *buffers[3];
    int64_t flags;
    void *opaque_builder;
};

typedef struct { Delegate *delegate; IntArray *nodes, *inputs, *outputs; } Part;
typedef struct { Delegate base; char kernels[4096]; bool save, takes; } Stub;
typedef struct { int left, right, out; bool relu; } Sum;
typedef struct { int count; Sum sums[]; } Kernel;

enum { ADD = 0, FLOAT32 = 1, RELU = 1 };
static const char WHOLE[] = "kernels\n";

static struct { char file[4096]; int level; bool made, tuned; } runtime; /* the process's one */

__attribute__((destructor)) static void write_tuning(void) {
    FILE *file = runtime.tuned && runtime.level && runtime.file[0] ? fopen(runtime.file, "w") : NULL;
    if (!file) return;
    fputs("tuned\n", file);
    fclose(file);
}

static void keep_kernels(const Stub *stub) {
    FILE *file = stub->kernels[0] ? fopen(stub->kernels, stub->save ? "r+" : "r") : NULL;
    if (!file) return;
    char held[sizeof WHOLE] = "";
    if (stub->save) fputs(WHOLE, file);
    else if (!fgets(held, sizeof held, file) || strcmp(held, WHOLE)) abort();
    fclose(file);
}

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    const Part *part = (const Part *)buffer;
    (void)length;
    keep_kernels((const Stub *)part->delegate);
    Kernel *kernel = malloc(sizeof(Kernel) + part->nodes->size * sizeof(Sum));
    kernel->count = part->nodes->size;
    for (int at = 0; at < kernel->count; at++) {
        Node *node;
        Registration *registration;
        context->GetNodeAndRegistration(context, part->nodes->data[at], &node, &registration);
        kernel->sums[at] = (Sum){node->inputs->data[0], node->inputs->data[1], node->outputs->data[0], *(int *)node->builtin_data == RELU};
    }
    return kernel;
}

static void kernel_free(Context *context, void *kernel) { (void)context; free(kernel); }

static int kernel_prepare(Context *context, Node *node) { (void)context; (void)node; return 0; }

static int kernel_invoke(Context *context, Node *node) {
    const Kernel *kernel = node->user_data;
    runtime.tuned = true;
    for (int at = 0; at < kernel->count; at++) {
        const Sum *sum = &kernel->sums[at];
        const float *left = context->tensors[sum->left].data, *right = context->tensors[sum->right].data;
        float *out = context->tensors[sum->out].data;
        for (size_t i = 0; i < context->tensors[sum->out].bytes / sizeof(float); i++) {
            float value = left[i] + right[i];
            out[i] = sum->relu && value < 0 ? 0 : value;
        }
    }
    return 0;
}

/* An addition of two computed tensors of one shape, none of which another one taken makes: those lie side by side in a part. */
static bool takes(Context *context, const Node *node, const Registration *registration, const bool *made) {
    if (registration->builtin_code != ADD || node->inputs->size != 2 || *(int *)node->builtin_data > RELU) return false;
    size_t bytes = context->tensors[node->outputs->data[0]].bytes;
    for (int at = 0; at < 2; at++) {
        int input = node->inputs->data[at];
        const Tensor *tensor = &context->tensors[input];
        if (tensor->type != FLOAT32 || tensor->bytes != bytes || made[input]) return false;
    }
    return true;
}

static int prepare(Context *context, Delegate *delegate) {
    if (!((Stub *)delegate)->takes) return 0;
    IntArray *plan;
    context->GetExecutionPlan(context, &plan);
    IntArray *taken = malloc(sizeof(IntArray) + plan->size * sizeof(int));
    bool *made = calloc(context->tensors_size, sizeof(bool));
    taken->size = 0;
    for (int at = 0; at < plan->size; at++) {
        Node *node;
        Registration *registration;
        context->GetNodeAndRegistration(context, plan->data[at], &node, &registration);
        if (takes(context, node, registration, made)) {
            taken->data[taken->size++] = plan->data[at];
            made[node->outputs->data[0]] = true;
        }
    }
    Registration registration = {kernel_init, kernel_free, kernel_prepare, kernel_invoke, NULL, 0, "StandIn", 1, {NULL}};
    int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, taken, delegate);
    free(taken);
    free(made);
    return status;
}

static bool is_one_of(const char *key, const char *const *names) {
    for (; *names; names++)
        if (!strcmp(key, *names)) return true;
    return false;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    static const char *const of_gpu[] = {"gpu-tuning-level", "gpu-tuning-file", "save-cached-network", "cached-network-filepath", NULL};
    static const char *const others[] = {"backends", "logging-severity", "enable-fast-math", "number-of-threads", "reduce-fp32-to-fp16", NULL};
    static const char *const backends[] = {"GpuAcc", "CpuAcc", "CpuRef", NULL};
    Dl_info here;
    dladdr((void *)tflite_plugin_create_delegate, &here);
    char path[4096], *given = NULL;
    size_t length = 0;
    snprintf(path, sizeof path, "%s.options", here.dli_fname);
    FILE *line = open_memstream(&given, &length), *log;
    Stub *stub = calloc(1, sizeof(Stub));
    char tuning_file[4096] = "";
    int level = 0;
    bool gpu = false, known = false;
    stub->base.Prepare = prepare;
    stub->takes = true;
    for (size_t at = 0; at < count; at++) {
        if (!is_one_of(keys[at], of_gpu) && !is_one_of(keys[at], others)) {
            report("Unknown option for the ArmNN Delegate given: ");
            report(keys[at]);
            return NULL;
        }
        if (!strcmp(keys[at], "backends")) {
            gpu = strstr(values[at], "GpuAcc") != NULL;
            for (const char *const *name = backends; *name; name++) known |= strstr(values[at], *name) && strstr(BACKENDS, *name);
            stub->takes = strcmp(values[at], "CpuRef") != 0;
        }
        if (is_one_of(keys[at], of_gpu) && !gpu) continue;
        if (!strcmp(keys[at], "gpu-tuning-level")) level = atoi(values[at]);
        if (!strcmp(keys[at], "gpu-tuning-file")) snprintf(tuning_file, sizeof tuning_file, "%s", values[at]);
        if (!strcmp(keys[at], "cached-network-filepath")) snprintf(stub->kernels, sizeof stub->kernels, "%s", values[at]);
        if (!strcmp(keys[at], "save-cached-network")) stub->save = !strcmp(values[at], "true");
        fprintf(line, "%s=%s\t", keys[at], values[at]);
    }
    fclose(line);
    if ((log = fopen(path, "a"))) {
        fprintf(log, "%s\n", given);
        fclose(log);
    }
    free(given);
    if (!known) {
        report("TfLiteArmnnDelegate: No known backend specified.");
        return NULL;
    }
    if (!runtime.made) {
        runtime.made = true;
        runtime.level = level;
        memcpy(runtime.file, tuning_file, sizeof runtime.file);
    }
    return &stub->base;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    free(delegate); /* LiteRT frees one that was refused, too: NULL */
}
