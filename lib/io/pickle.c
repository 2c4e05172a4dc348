#include "lib/io/pickle.h"

#include <string.h>

#define MAX_VALUES 2000000

typedef struct machine {
    sorai_pickle *p;
    const unsigned char *at, *end;
    const char *file;
    sora_error *err;
    uint32_t *stack, *memo; /* numbers of values */
    uint32_t depth, stack_capacity, memo_capacity, memo_next;
} machine;

static int no_memory(const machine *m) {
    return sorai_fail(m->err, SORA_E_NOMEM, "%.300s: no memory to open it", m->file);
}

static int damaged(const machine *m, const char *what) {
    return sorai_fail(m->err, SORA_E_FORMAT, "%.300s: pickle: %s: damaged", m->file, what);
}

/* Room for one more in an array; false: no memory. */
static bool grow(sorai_mem *mem, void **array, uint32_t count, uint32_t *capacity, size_t each) {
    size_t bytes;
    if (count < *capacity) return true;
    const uint32_t more = *capacity ? *capacity * 2 : 256;
    void *grown = more > *capacity && sorai_mul_ok(more, each, &bytes) ? sorai_realloc(mem, *array, bytes) : NULL;
    if (!grown) return false;
    *array = grown;
    *capacity = more;
    return true;
}

static int push(machine *m, uint32_t value) {
    void *array = m->stack;
    if (!grow(m->p->mem, &array, m->depth, &m->stack_capacity, sizeof *m->stack)) return no_memory(m);
    m->stack = array;
    m->stack[m->depth++] = value;
    return SORA_OK;
}

static int push_new(machine *m, sorai_pickle_value v) {
    if (m->p->value_count == MAX_VALUES)
        return sorai_fail(m->err, SORA_E_UNSUPPORTED, "%.300s: a pickle of more than %d values", m->file, MAX_VALUES);
    void *array = m->p->values;
    if (!grow(m->p->mem, &array, m->p->value_count, &m->p->value_capacity, sizeof v)) return no_memory(m);
    m->p->values = array;
    m->p->values[m->p->value_count++] = v;
    return push(m, m->p->value_count - 1);
}

static int push_kind(machine *m, enum sorai_pickle_kind kind) {
    return push_new(m, (sorai_pickle_value){kind, SORAI_PICKLE_END, SORAI_PICKLE_END, 0, NULL, 0});
}

static int push_int(machine *m, int64_t number) {
    return push_new(m, (sorai_pickle_value){SORAI_PICKLE_INT, SORAI_PICKLE_END, SORAI_PICKLE_END, number, NULL, 0});
}

static int push_text(machine *m, enum sorai_pickle_kind kind, const unsigned char *text, size_t size) {
    return push_new(m, (sorai_pickle_value){kind, SORAI_PICKLE_END, SORAI_PICKLE_END, 0, (const char *)text, size});
}

static int append(machine *m, uint32_t list, uint32_t key, uint32_t value) {
    if (m->p->item_count == 4 * MAX_VALUES)
        return sorai_fail(m->err, SORA_E_UNSUPPORTED, "%.300s: a pickle of more than %d values", m->file, MAX_VALUES);
    void *array = m->p->items;
    if (!grow(m->p->mem, &array, m->p->item_count, &m->p->item_capacity, sizeof *m->p->items)) return no_memory(m);
    m->p->items = array;
    const uint32_t n = m->p->item_count++;
    m->p->items[n] = (sorai_pickle_item){key, value, SORAI_PICKLE_END};
    sorai_pickle_value *l = &m->p->values[list];
    if (l->first == SORAI_PICKLE_END)
        l->first = n;
    else
        m->p->items[l->last].next = n;
    l->last = n;
    return SORA_OK;
}

static sorai_pickle_value *top(machine *m, uint32_t below) { return &m->p->values[m->stack[m->depth - 1 - below]]; }

/* The bytes of an operation's argument. */
static const unsigned char *take(machine *m, uint64_t n) {
    if (n > (uint64_t)(m->end - m->at)) return NULL;
    const unsigned char *p = m->at;
    m->at += n;
    return p;
}

static uint64_t number_at(const unsigned char *p, size_t n) {
    uint64_t x = 0;
    for (size_t i = n; i > 0; i--) x = x << 8 | p[i - 1];
    return x;
}

/* A counted text: `bytes` of length, then as much. */
static int counted(machine *m, size_t bytes, enum sorai_pickle_kind kind) {
    const unsigned char *length = take(m, bytes), *text = length ? take(m, number_at(length, bytes)) : NULL;
    return text ? push_text(m, kind, text, (size_t)number_at(length, bytes)) : damaged(m, "a text is cut short");
}

/* A tuple of everything above the mark, or of the last n. */
static int tuple(machine *m, uint32_t n) {
    const uint32_t begin = m->depth - n;
    SORA_TRY(push_kind(m, SORAI_PICKLE_TUPLE));
    const uint32_t made = m->stack[m->depth - 1];
    for (uint32_t i = 0; i < n; i++) SORA_TRY(append(m, made, SORAI_PICKLE_END, m->stack[begin + i]));
    m->depth = begin;
    return push(m, made);
}

/* How many stand above the last mark; false: there is none. */
static bool above_mark(machine *m, uint32_t *n) {
    for (*n = 0; *n < m->depth; ++*n)
        if (top(m, *n)->kind == SORAI_PICKLE_MARK) return true;
    return false;
}

static bool is(const sorai_pickle_value *v, const char *text) {
    return v->size == strlen(text) && memcmp(v->text, text, v->size) == 0;
}

static int refuse(machine *m, const char *what, const sorai_pickle_value *v) {
    char name[200];
    size_t n = v->size < sizeof name - 1 ? v->size : sizeof name - 1;
    memcpy(name, v->text, n);
    name[n] = 0;
    for (size_t i = 0; i < n; i++)
        if (name[i] == '\n')
            name[i] = '.';
        else if ((unsigned char)name[i] < 0x20 || (unsigned char)name[i] > 0x7e)
            name[i] = '?';
    return sorai_fail(
        m->err, SORA_E_UNSUPPORTED,
        "%.200s: a pickle that asks for %s%.150s; only names and tensors are read (save its state dict as safetensors)",
        m->file, what, name);
}

/* What may be named: the types of storages, torch's types, and the three that make tensors and dicts. */
static int global(machine *m, const unsigned char *text, size_t size) {
    static const char *const known[] = {"torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor_v3",
                                        "torch._utils\n_rebuild_parameter", "collections\nOrderedDict",
                                        "torch.storage\nUntypedStorage"};
    const sorai_pickle_value v = {SORAI_PICKLE_GLOBAL, SORAI_PICKLE_END, SORAI_PICKLE_END, 0, (const char *)text, size};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is(&v, known[i])) return push_new(m, v);
    if (size > 6 && memcmp(text, "torch\n", 6) == 0) { /* a type: torch.FloatStorage, torch.bfloat16 */
        for (size_t i = 6; i < size; i++)
            if (text[i] == '\n' || text[i] == '.') return refuse(m, "", &v);
        const char *storage = "Storage";
        const size_t n = strlen(storage);
        const bool is_storage = size > n && memcmp(text + size - n, storage, n) == 0;
        if (is_storage || memcmp(text + 6, "float", 5) == 0 || memcmp(text + 6, "bfloat", 6) == 0)
            return push_new(m, v);
    }
    return refuse(m, "", &v);
}

static int old_global(machine *m) {
    const unsigned char *begin = m->at, *line = begin;
    for (int lines = 0; lines < 2; lines++) {
        line = memchr(line, '\n', (size_t)(m->end - line));
        if (!line) return damaged(m, "a name is cut short");
        line++;
    }
    m->at = line;
    return global(m, begin, (size_t)(line - begin) - 1);
}

/* Module and name are the last two texts. They stand in the pickle one after the other only in the older form, so both
 * are looked at. */
static int stack_global(machine *m) {
    if (m->depth < 2 || top(m, 0)->kind != SORAI_PICKLE_TEXT || top(m, 1)->kind != SORAI_PICKLE_TEXT)
        return damaged(m, "a name");
    const sorai_pickle_value name = *top(m, 0), module = *top(m, 1);
    (void)module;
    return refuse(m, "protocol 4, ", &name);
}

/* callable, tuple -> result */
static int reduce(machine *m) {
    if (m->depth < 2 || top(m, 0)->kind != SORAI_PICKLE_TUPLE || top(m, 1)->kind != SORAI_PICKLE_GLOBAL)
        return damaged(m, "a call");
    const sorai_pickle_value arguments = *top(m, 0), callable = *top(m, 1);
    m->depth -= 2;
    if (is(&callable, "collections\nOrderedDict") && arguments.first == SORAI_PICKLE_END)
        return push_kind(m, SORAI_PICKLE_DICT);
    if (is(&callable, "torch._utils\n_rebuild_tensor_v2") || is(&callable, "torch._utils\n_rebuild_tensor_v3")) {
        sorai_pickle_value t = arguments;
        t.kind = SORAI_PICKLE_TENSOR;
        t.number = callable.text[callable.size - 1] - '0';
        return push_new(m, t);
    }
    if (is(&callable, "torch._utils\n_rebuild_parameter") && arguments.first != SORAI_PICKLE_END)
        return push(m, m->p->items[arguments.first].value);
    return refuse(m, "a call of ", &callable);
}

static int persistent(machine *m) {
    if (m->depth < 1 || top(m, 0)->kind != SORAI_PICKLE_TUPLE) return damaged(m, "a storage");
    sorai_pickle_value v = *top(m, 0);
    const sorai_pickle_value *what = sorai_pickle_at(m->p, &v, 0);
    if (!what || what->kind != SORAI_PICKLE_TEXT || !is(what, "storage")) return damaged(m, "a storage");
    m->depth--;
    v.kind = SORAI_PICKLE_STORAGE;
    return push_new(m, v);
}

static int set_items(machine *m, uint32_t n) {
    const uint32_t begin = m->depth - n;
    if (n % 2 || begin < 1) return damaged(m, "a dict");
    const uint32_t dict = m->stack[begin - 1];
    if (m->p->values[dict].kind != SORAI_PICKLE_DICT) return damaged(m, "a dict");
    for (uint32_t i = 0; i < n; i += 2) SORA_TRY(append(m, dict, m->stack[begin + i], m->stack[begin + i + 1]));
    m->depth = begin;
    return SORA_OK;
}

static int append_items(machine *m, uint32_t n) {
    const uint32_t begin = m->depth - n;
    if (begin < 1) return damaged(m, "a list");
    const uint32_t list = m->stack[begin - 1];
    if (m->p->values[list].kind != SORAI_PICKLE_TUPLE) return damaged(m, "a list");
    for (uint32_t i = 0; i < n; i++) SORA_TRY(append(m, list, SORAI_PICKLE_END, m->stack[begin + i]));
    m->depth = begin;
    return SORA_OK;
}

/* Writers number what they remember in order. */
static int remember(machine *m, uint64_t index) {
    if (m->depth < 1 || index > (uint64_t)m->memo_next + 255) return damaged(m, "a memo");
    if (index >= m->memo_next) m->memo_next = (uint32_t)index + 1;
    while (m->memo_capacity <= index) {
        const uint32_t before = m->memo_capacity;
        void *array = m->memo;
        if (!grow(m->p->mem, &array, before, &m->memo_capacity, sizeof *m->memo)) return no_memory(m);
        m->memo = array;
        for (uint32_t i = before; i < m->memo_capacity; i++) m->memo[i] = SORAI_PICKLE_END;
    }
    m->memo[index] = m->stack[m->depth - 1];
    return SORA_OK;
}

static int recall(machine *m, uint64_t index) {
    if (index >= m->memo_capacity || m->memo[index] == SORAI_PICKLE_END) return damaged(m, "a memo");
    return push(m, m->memo[index]);
}

/* What BUILD sets on a dict: attributes such as _metadata, of no use here. */
static int build(machine *m) {
    if (m->depth < 2 || top(m, 1)->kind != SORAI_PICKLE_DICT) return damaged(m, "a state");
    m->depth--;
    return SORA_OK;
}

static int64_t signed_at(const unsigned char *p, size_t n) {
    uint64_t x = number_at(p, n);
    if (n && n < 8 && p[n - 1] & 0x80) x |= ~UINT64_C(0) << (8 * n);
    int64_t s;
    memcpy(&s, &x, sizeof s);
    return s;
}

/* Operations with a marked run of values. */
static int marked(machine *m, unsigned char op) {
    uint32_t n;
    if (!above_mark(m, &n)) return damaged(m, "no mark");
    const uint32_t mark = m->depth - n - 1;
    memmove(m->stack + mark, m->stack + mark + 1, n * sizeof *m->stack);
    m->depth--;
    return op == 't' || op == 'l' ? tuple(m, n) : op == 'u' ? set_items(m, n) : append_items(m, n);
}

static int step(machine *m, unsigned char op) {
    const unsigned char *p;
    size_t n = 0;
    switch (op) {
    case 0x80: /* PROTO */
        p = take(m, 1);
        return p && *p <= 5 ? SORA_OK : damaged(m, "its version");
    case 0x95: /* FRAME */
        return take(m, 8) ? SORA_OK : damaged(m, "a frame");
    case '(':
        return push_kind(m, SORAI_PICKLE_MARK);
    case 't':
    case 'l':
    case 'u':
    case 'e':
        return marked(m, op);
    case 's':
        return m->depth >= 2 ? set_items(m, 2) : damaged(m, "a dict");
    case 'a':
        return m->depth >= 1 ? append_items(m, 1) : damaged(m, "a list");
    case ')':
    case ']':
        return push_kind(m, SORAI_PICKLE_TUPLE);
    case '}':
        return push_kind(m, SORAI_PICKLE_DICT);
    case 0x85:
    case 0x86:
    case 0x87:
        return m->depth >= (uint32_t)(op - 0x84) ? tuple(m, (uint32_t)(op - 0x84)) : damaged(m, "a tuple");
    case 'N':
        return push_kind(m, SORAI_PICKLE_NONE);
    case 0x88:
    case 0x89:
        return push_int(m, op == 0x88);
    case 'K':
    case 'M':
        n = op == 'K' ? 1 : 2;
        p = take(m, n);
        return p ? push_int(m, (int64_t)number_at(p, n)) : damaged(m, "a number");
    case 'J':
        p = take(m, 4);
        return p ? push_int(m, signed_at(p, 4)) : damaged(m, "a number");
    case 0x8a: /* LONG1 */
        p = take(m, 1);
        n = p ? *p : 9;
        p = n <= 8 ? take(m, n) : NULL;
        return p ? push_int(m, signed_at(p, n)) : damaged(m, "a number");
    case 'G':
        return take(m, 8) ? push_kind(m, SORAI_PICKLE_NONE) : damaged(m, "a number");
    case 'X':
    case 'T':
        return counted(m, 4, SORAI_PICKLE_TEXT);
    case 0x8c:
    case 'U':
        return counted(m, 1, SORAI_PICKLE_TEXT);
    case 0x8d:
        return counted(m, 8, SORAI_PICKLE_TEXT);
    case 'B': /* bytes: of no use */
        return counted(m, 4, SORAI_PICKLE_NONE);
    case 'C':
        return counted(m, 1, SORAI_PICKLE_NONE);
    case 'c':
        return old_global(m);
    case 0x93:
        return stack_global(m);
    case 'R':
        return reduce(m);
    case 'Q':
        return persistent(m);
    case 'b':
        return build(m);
    case 'q':
    case 'r':
        n = op == 'q' ? 1 : 4;
        p = take(m, n);
        return p ? remember(m, number_at(p, n)) : damaged(m, "a memo");
    case 0x94:
        return remember(m, m->memo_next);
    case 'h':
    case 'j':
        n = op == 'h' ? 1 : 4;
        p = take(m, n);
        return p ? recall(m, number_at(p, n)) : damaged(m, "a memo");
    case '0':
        if (m->depth < 1) return damaged(m, "an empty stack");
        m->depth--;
        return SORA_OK;
    default:
        return sorai_fail(m->err, SORA_E_UNSUPPORTED,
                          "%.300s: a pickle with operation %u, which state dicts of tensors do not need", m->file,
                          (unsigned)op);
    }
}

int sorai_pickle_read(sorai_pickle *out, sorai_mem *mem, const void *data, size_t n, const char *file,
                      sora_error *err) {
    memset(out, 0, sizeof *out);
    out->mem = mem;
    machine m = {.p = out, .at = data, .end = (const unsigned char *)data + n, .file = file, .err = err};
    int status = SORA_OK;
    for (bool running = true; running && status == SORA_OK;) {
        const unsigned char *op = take(&m, 1);
        if (!op)
            status = damaged(&m, "it ends too soon");
        else if (*op == '.')
            running = false;
        else
            status = step(&m, *op);
    }
    if (status == SORA_OK && (m.depth != 1 || top(&m, 0)->kind != SORAI_PICKLE_DICT))
        status = sorai_fail(err, SORA_E_UNSUPPORTED, "%.300s: a pickle that holds no dict of tensors", file);
    if (status == SORA_OK) out->root = m.stack[0];
    sorai_free(mem, m.stack);
    sorai_free(mem, m.memo);
    if (status != SORA_OK) sorai_pickle_release(out);
    return status;
}

void sorai_pickle_release(sorai_pickle *p) {
    if (p->mem) {
        sorai_free(p->mem, p->values);
        sorai_free(p->mem, p->items);
    }
    memset(p, 0, sizeof *p);
}

const sorai_pickle_value *sorai_pickle_at(const sorai_pickle *p, const sorai_pickle_value *list, uint32_t i) {
    uint32_t at = list->first;
    while (at != SORAI_PICKLE_END && i-- > 0) at = p->items[at].next;
    return at == SORAI_PICKLE_END ? NULL : &p->values[p->items[at].value];
}
