// SPDX-License-Identifier: GPL-2.0-only
//
// What a system call or a probe finds out: whose process and goroutine it is, under what it is
// counted, and from which stack.

// What a call site or probe shows of the goroutine there. goid 0: it is no goroutine's.
struct site {
	u64 g, goid, high;
	u64 valid; // g is that of the running code
};

static __always_inline u64 read_word(u64 address)
{
	u64 word = 0;
	bpf_probe_read_user(&word, sizeof(word), (void *)address);
	return word;
}

// g is believed only when the stack pointer is on its stack: C code, the vDSO and signal
// trampolines leave anything in the register. With C code around, it has to name its m, too, which
// names a g of its own that names it: a C thread starts with a struct clone_args in the register,
// which looks like a stack that it is on.
static __always_inline void look(struct site *at, u64 g, u64 sp, struct slot *s)
{
	u64 head[7] = {}; // stack.lo, stack.hi, stackguard0, stackguard1, _panic, _defer, m
	at->g = g;
	at->goid = 0;
	at->high = 0;
	at->valid = 0;
	if (g < 4096 || bpf_probe_read_user(head, sizeof(head), (void *)g) != 0)
		return;
	if (sp <= head[0] || sp > head[1] || head[6] == 0)
		return;
	if (s->flags & CGO && read_word(read_word(head[6]) + 48) != head[6])
		return;
	at->high = head[1];
	at->valid = bpf_probe_read_user(&at->goid, sizeof(at->goid), (void *)(g + s->goid)) == 0;
}

// The goroutine that a scheduler's g works for, 0: none. g.m is at 48 in every Go; m.curg is at
// one of two places by version, and a g that names its m proves which.
static __always_inline u64 current_goroutine(u64 g0, u32 goid)
{
	u64 m = read_word(g0 + 48);
	u64 g = read_word(m + 192);
	if (g == 0 || read_word(g + 48) != m) {
		g = read_word(m + 184);
		if (g == 0 || read_word(g + 48) != m)
			return 0;
	}
	return g == g0 ? 0 : read_word(g + goid);
}

static __always_inline struct goroutine *goroutine_of(struct process *p, u64 goid)
{
	struct goroutine_key key = {.life = p->life, .goid = goid};
	return goid == 0 ? 0 : goroutines.lookup(&key);
}

static __always_inline u64 unique(void)
{
	return bpf_ktime_get_ns() << 8 | (bpf_get_smp_processor_id() & 255);
}

static __always_inline struct process *followed(u32 tgid, struct slot **s, struct state **st)
{
	struct process *p = processes.lookup(&tgid);
	if (!p)
		return 0;
	u32 slot = p->slot;
	*s = slots.lookup(&slot);
	*st = states.lookup(&slot);
	if (!*s || !*st || (*s)->life != p->token)
		return 0;
	return p;
}

// Says under which image the process is counted from now on.
static __always_inline void name_task(struct process *p, struct state *st, u64 parent)
{
	struct task task = {};
	bpf_get_current_comm(task.name, sizeof(task.name));
	task.parent = parent;
	task.base = p->base;
	task.own = p->own;
	task.child = p->child;
	u64 *name = (u64 *)task.name;
	u64 hash = 14695981039346656037ull;
	hash = (hash ^ name[0]) * 1099511628211ull;
	hash = (hash ^ hash >> 29 ^ name[1]) * 1099511628211ull;
	hash = (hash ^ hash >> 31 ^ (p->own | p->child << 1)) * 1099511628211ull;
	struct task_key key = {.image = hash, .life = p->token};
	struct task *known = tasks.lookup(&key);
	p->image = hash;
	if (known)
		known->base = p->base;
	else if (tasks.insert(&key, &task) != 0 && !tasks.lookup(&key))
		ADD(lost_processes);
}

// Whether it is a 32-bit call, or one of x32, whose numbers mean something else. A 64-bit one
// leaves the address it returns to in rcx; who has that there by chance is told by the instruction.
static __always_inline int is_compat(struct pt_regs *regs, u32 number)
{
#if defined(MACHINE_AMD64)
	u16 code = 0;
	if (number & 0x40000000 || regs->cs == 0x23)
		return 1;
	if (regs->cx == regs->ip && regs->r11 == regs->flags)
		return 0;
	bpf_probe_read_user(&code, sizeof(code), (void *)(regs->ip - 2));
	return code == 0x80cd; // int 0x80
#else
	return (regs->pstate & 0x10) != 0;
#endif
}

static __always_inline u32 kind_of(struct pt_regs *regs, u32 number)
{
	u64 a0 = R_ARG0(regs);
	if (number == NR_CLONE3)
		a0 = read_word(a0); // struct clone_args begins with its flags
	return class_of(number, a0, R_ARG1(regs), R_ARG2(regs), R_ARG3(regs));
}

static __always_inline void tell_arguments(struct pt_regs *regs, struct key *key)
{
	key->kind = kind_of(regs, key->number);
	if (values_of(key->number, R_ARG0(regs), R_ARG1(regs), R_ARG2(regs), R_ARG3(regs),
		      &key->values))
		key->flags |= TOLD;
}

// Whether the values of a call that was not counted like this before may be told: of each call only
// so many different ones, for a program may pass on whatever its input says.
static __always_inline int tell(u32 slot, struct key *key)
{
	u8 known = 1;
	struct slot *s = slots.lookup(&slot);
	struct tellings *t = tellings.lookup(&slot);
	if (!s || !t)
		return 0;
	struct telling_key telling = {.life = s->life, .number = key->number, .values = key->values};
	if (told.lookup(&telling))
		return 1;
	u32 *different = &t->different[key->number & (MOST_NUMBERS - 1)];
	if (*different >= MOST_VALUES)
		return 0;
	__sync_fetch_and_add(different, 1);
	return told.update(&telling, &known) == 0;
}

static __always_inline void count(u32 slot, struct state *st, struct key *what)
{
#ifdef DENIALS
	return;
#endif
	struct key key = *what;
	u64 none = 0;
	void *map = counts.lookup(&slot);
	if (!map)
		return;
	u64 *times = bpf_map_lookup_elem(map, &key);
	if (!times && key.flags & TOLD && !tell(slot, &key)) {
		key.flags &= ~TOLD;
		key.values = 0;
		times = bpf_map_lookup_elem(map, &key);
	}
	if (!times) {
		bpf_map_update_elem(map, &key, &none, BPF_NOEXIST);
		times = bpf_map_lookup_elem(map, &key);
	}
	if (times)
		__sync_fetch_and_add(times, 1);
	else
		ADD(lost_counts);
}

// Sets a bit of a word of the marks page for the current epoch, as the agent's gofuzzsecStamp.
static __always_inline void stamp(struct page *page, u64 *word, u64 bit)
{
#pragma unroll
	for (int tries = 0; tries < 6; tries++) {
		u64 now = page->now & 0xffffffff00000000ull, old = *word;
		u64 set = now | bit;
		if ((old & 0xffffffff00000000ull) == now)
			set |= old;
		if (set == old || __sync_val_compare_and_swap(word, old, set) == old)
			return;
	}
}

static __always_inline void mark(u32 slot, u32 feature)
{
	struct page *page = pages.lookup(&slot);
	u32 call = feature / 32 & 511;
	if (!page)
		return;
	u64 word = page->marks[call] ^ page->now, bit = 1ull << (feature & 31);
	if ((word & (0xffffffff00000000ull | bit)) == bit)
		return; // in this epoch, and whoever did that sees to dirty
	stamp(page, &page->marks[call], 1ull << (feature & 31));
	stamp(page, &page->dirty[call / 32 & 15], 1ull << (call & 31));
}

// The id of the user's call stack. Kept by the hash of all its frames, not by bpf_get_stackid, whose
// table loses stacks to collisions; and walked here, which takes a tenth of bpf_get_stack's time.
static __always_inline u64 stack_of(struct process *p, struct slot *s, struct state *st,
				    struct key *key, struct pt_regs *regs)
{
	u32 zero = 0;
	struct stack *stack = scratch.lookup(&zero);
	if (!stack)
		return 0;
	u64 frame[2] = {R_FRAME(regs), R_IP(regs)}; // the caller's frame pointer; return address
	u64 hash = 14695981039346656037ull, n = 0;
	for (u32 i = 0; i < DEPTH; i++) {
		u64 address = frame[1] - p->base;
		if (address < s->text_low || address > s->text_high)
			address = 0; // where libraries are differs from process to process
		stack->frames[i] = address;
		hash = (hash ^ address ^ hash >> 32) * 1099511628211ull;
		n = i + 1;
		if (frame[0] < 4096) // the outermost; a read that fails is slow
			break;
		if (bpf_probe_read_user(frame, sizeof(frame), (void *)frame[0]) != 0 || !frame[1])
			break;
	}
	u64 caller = read_word(R_STACK(regs)) - p->base;
	stack->caller = caller < s->text_low || caller > s->text_high ? 0 : caller;
	stack->count = n;
	hash = (hash ^ stack->caller ^ hash >> 32) * 1099511628211ull;
	hash = (hash ^ n ^ (u64)s->file << 32) | 1; // 0 stands for none
	if (stacks.lookup(&hash))
		return hash;
	if (stacks.insert(&hash, stack) == 0 || stacks.lookup(&hash))
		return hash;
	ADD(lost_stacks);
	key->flags |= STACK_LOST;
	return 0;
}
