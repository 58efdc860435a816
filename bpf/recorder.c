// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's half of gofuzzsec's BPF recorder: counts the system calls of the processes it is
// told to follow, by goroutine, in maps. No event goes to user space, so none can be dropped; what
// does not fit a map is counted in struct state and makes the evidence incomplete.
//
// Loaded through bcc by gofuzzsec/syscalls/bpf/program.py, which puts in front of this text the
// sizes of the maps, MACHINE_* and class_of(), written from gofuzzsec/syscalls/classes.py, and
// which knows the layout of every struct marked "shared".
//
// Only raw tracepoints and uprobes, no field of a kernel struct whose place is not stable: struct
// pt_regs is uapi; task_struct.pid is searched for at run time (on_enter's ASK). So headers of any
// kernel version will do. Needs Linux 5.15 (attach cookies; atomic operations that return).
//
// Words: a *slot* is one Following of user space. Its *own* processes run the program that it was
// told of, after the program's ELF entry point was reached. A *window* is a bit: what is inside is
// reported under it. *life* is unique to one process running one program.

#include <uapi/linux/ptrace.h>

#define MAGIC 0x47465A53 // prctl option by which a process asks to be followed
#define ASK (~0ull)      // as the slot: tell user space how task_struct looks

#define DEPTH 127 // frames of a stack; what is further out is cut

#if defined(MACHINE_AMD64)
#define R_STACK(r) ((r)->sp)
#define R_IP(r) ((r)->ip)
#define R_FRAME(r) ((r)->bp)
#define R_G(r) ((r)->r14)
#define R_RESULT(r) ((r)->ax)
#define R_ARG0(r) ((r)->di)
#define R_ARG1(r) ((r)->si)
#define R_ARG2(r) ((r)->dx)
#define R_ARG3(r) ((r)->r10)
#define CALL_PUSHES 8 // bytes a call puts on the stack
#define NR_READ 0
#define NR_WRITE 1
#define NR_PRCTL 157
#define NR_EXECVE 59
#define NR_RT_SIGRETURN 15
#define NR_RESTART 219
#define NR_CLONE3 435
#define NR_PROBES(n) ((n) == 335 || (n) == 336) // uretprobe and uprobe: the kernel's own
#else // arm64: compiles, has never run
#define R_STACK(r) ((r)->sp)
#define R_IP(r) ((r)->pc)
#define R_FRAME(r) ((r)->regs[29])
#define R_G(r) ((r)->regs[28])
#define R_RESULT(r) ((r)->regs[0])
#define R_ARG0(r) ((r)->regs[0])
#define R_ARG1(r) ((r)->regs[1])
#define R_ARG2(r) ((r)->regs[2])
#define R_ARG3(r) ((r)->regs[3])
#define CALL_PUSHES 0
#define NR_READ 63
#define NR_WRITE 64
#define NR_PRCTL 167
#define NR_EXECVE 221
#define NR_RT_SIGRETURN 139
#define NR_RESTART 128
#define NR_CLONE3 435
#define NR_PROBES(n) 0
#endif

enum { PROCESS, INPUTS, FUNCTIONS };                       // slot.mode
enum { BEGUN, OK, REFUSED, FAILED, INTERRUPTED };          // key.ending
enum { GOROUTINE, SCHEDULER, C, CHILD, STARTUP, OUTSIDE }; // key.place
enum { GO = 1, MARKED = 2, STACKS = 4, CGO = 8 };          // slot.flags
enum { COMPAT = 1, STACK_LOST = 2 };                       // key.flags

// Shared. What user space wants of a slot; written before a process is told of it.
struct slot {
	u64 entry;               // linked address of the ELF entry point
	u64 text_low, text_high; // linked addresses of code; what is outside is foreign
	u32 life;                // which Following has the slot now, 0: none
	u32 mode;
	u32 flags;
	u32 file;        // number of the program's file in attach cookies
	u32 goid;        // offset of runtime.g.goid
	u32 parent_goid; // and of parentGoid
};

// Shared. How a slot goes; written by the kernel, cleared by user space with no process in it.
struct state {
	u64 lost_counts, lost_stacks, lost_goroutines, lost_processes, lost_threads;
	u64 no_goroutine; // probes hit where no goroutine was to be found
	u64 claims;       // processes that asked to be followed
	u32 epoch;        // number of the input being executed, or executed last
	u32 open;         // whether it is being executed
};

// Shared. What is counted.
struct key {
	u64 image;   // of tasks
	u64 stack;   // of stacks, 0: none
	u64 windows; // inside which
	u32 number;
	u8 kind, ending, place, flags;
};

// Shared. Processes that look the same: same name, same standing.
struct task_key {
	u64 image;
	u64 life; // the slot's
};

struct task {
	char name[16];
	u64 parent; // image of the first one's parent
	u64 base;   // load address of the last one, own programs only
	u32 own;
	u32 child;
};

// One traced process; key: tgid. Changed by its own threads only, while they fork or execute.
struct process {
	u64 life;
	u64 image;
	u64 base;
	u64 threads; // processes without any are forgotten
	u64 mask;    // windows that the whole process is inside of
	u32 epoch;   // INPUTS: of mask; in the worker, of its latest input
	u32 token;   // slot.life when it was claimed
	u32 slot;
	u8 own;   // runs the program
	u8 root;  // claimed by itself
	u8 armed; // has executed something since it was claimed
	u8 child; // of the program, or what the program executed in its own place
};

// One traced thread; key: tid. Written by that thread only.
struct thread {
	struct key pending; // the call it is in
	u32 busy;           // whether it is in one that counts
	u32 opens;          // whether it is in the read of a request
	u32 epoch;          // INPUTS: of the call
	u32 c_thread;       // made by C code, so all it does outside of Go is that code's
	u64 c_goroutine;    // for which it is in C code, 0: it is in Go code, or the runtime's C
	u64 c_mask;         // windows of the goroutine whose C code made the thread
	u32 c_epoch;        // INPUTS: of c_mask
	u32 in_callback;    // c_thread: whether it runs Go code at the moment
	u64 feature;        // plus 1, of the mark to complete
};

struct goroutine_key {
	u64 life, goid;
};

// Windows that a goroutine is inside of. Written by the thread that runs it or its creator.
struct goroutine {
	u64 inherited, open;
	u32 epoch; // INPUTS: of inherited
	u32 token; // slot.life, by which user space finds what to forget
};

struct frame_key {
	u64 life, goid, window;
};

struct point_key {
	u64 cookie, slot;
};

struct stack {
	u64 frames[DEPTH]; // linked addresses, 0: outside the program; innermost first
	u64 count;
	// What the stack pointer points at, if it is an address of code: where a function without a
	// frame, as Go's system call stubs are, returns to. The walk by frame pointers skips its
	// caller.
	u64 caller;
};

// Shared. What the agent in a boosted worker maps; see gofuzzsec/agent/syscall/marks_linux.go.
struct page {
	u64 now; // epoch in the upper half, here and in every word; written by the agent only
	u64 apart[7];
	u64 dirty[16];  // per call: a bit if marks has any
	u64 marks[512]; // per call: a bit for each feature
	u64 rest[2048 - 536];
};

struct session {
	u64 nonce;
	u64 pid; // offset of task_struct.pid; tgid follows it
};

struct asked {
	u64 id;
	u8 task[ASKED];
};

BPF_TABLE("array", u32, struct session, sessions, 1);
BPF_TABLE("array", u32, struct asked, answers, 1);
BPF_TABLE("array", u32, struct slot, slots, SLOTS);
BPF_TABLE("array", u32, struct state, states, SLOTS);
BPF_F_TABLE("array", u32, struct page, pages, SLOTS, BPF_F_MMAPABLE);
BPF_TABLE("hash", struct key, u64, counted, 1);
BPF_ARRAY_OF_MAPS(counts, "counted", SLOTS);
BPF_TABLE("hash", struct task_key, struct task, tasks, TASKS);
BPF_TABLE("hash", u32, struct process, processes, PROCESSES);
BPF_TABLE("hash", u32, struct thread, threads, THREADS);
BPF_TABLE("hash", struct goroutine_key, struct goroutine, goroutines, GOROUTINES);
BPF_TABLE("hash", struct frame_key, u64, frames, GOROUTINES);
BPF_TABLE("hash", struct point_key, u64, points, POINTS);
BPF_TABLE("hash", u64, struct stack, stacks, STACKS_ROOM);
BPF_TABLE("percpu_array", u32, struct stack, scratch, 1);

#define ADD(what) __sync_fetch_and_add(&st->what, 1)

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

static __always_inline void count(u32 slot, struct state *st, struct key *what)
{
	struct key key = *what;
	u64 none = 0;
	void *map = counts.lookup(&slot);
	if (!map)
		return;
	u64 *times = bpf_map_lookup_elem(map, &key);
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

// By a process on itself, between fork and exec: "follow me". Names and ids are never compared, so
// neither other programs nor PID namespaces can confuse this; the nonce is this session's secret.
static __always_inline int claim(struct bpf_raw_tracepoint_args *ctx, u32 tgid)
{
	struct pt_regs regs;
	u32 zero = 0;
	bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
	if (R_ARG0(&regs) != MAGIC)
		return 0;
	struct session *session = sessions.lookup(&zero);
	if (!session || R_ARG1(&regs) != session->nonce)
		return 0;
	u64 wanted = R_ARG2(&regs);
	if (wanted == ASK) {
		struct asked *answer = answers.lookup(&zero);
		if (!answer)
			return 0;
		answer->id = bpf_get_current_pid_tgid();
		bpf_probe_read_kernel(answer->task, sizeof(answer->task), (void *)bpf_get_current_task());
		return 0;
	}
	u32 slot = wanted & 0xffffffff;
	struct slot *s = slots.lookup(&slot);
	struct state *st = states.lookup(&slot);
	if (!s || !st || s->life == 0 || s->life != wanted >> 32)
		return 0;
	struct process p = {.life = unique(), .threads = 1, .token = s->life, .slot = slot, .root = 1};
	if (processes.update(&tgid, &p) != 0)
		ADD(lost_processes);
	ADD(claims);
	return 0;
}

static __always_inline struct thread *thread_of(u32 tid, struct state *st)
{
	struct thread *t = threads.lookup(&tid);
	if (t)
		return t;
	struct thread fresh = {};
	threads.insert(&tid, &fresh);
	t = threads.lookup(&tid);
	if (!t)
		ADD(lost_threads);
	return t;
}

// Place and windows of a call of the program itself, into key; false if it is of no interest.
static __always_inline void place_own(struct process *p, struct slot *s, struct state *st,
				      struct thread *t, struct pt_regs *regs, struct key *key)
{
	struct site at;
	struct goroutine *gr = 0;
	look(&at, R_G(regs), R_STACK(regs), s);
	u64 goid = at.goid;
	key->place = GOROUTINE;
	if (at.valid && goid == 0)
		goid = s->mode == FUNCTIONS ? current_goroutine(at.g, s->goid) : 0;
	if (!at.valid) {
		key->place = t->c_goroutine || (t->c_thread && !t->in_callback) ? C : SCHEDULER;
		goid = t->c_goroutine;
	} else if (at.goid == 0) {
		key->place = SCHEDULER;
	}
	if (s->mode == PROCESS) {
		key->windows = 1;
		return;
	}
	if (s->mode == INPUTS && p->epoch == 0) { // nobody's input yet
		key->place = key->place == SCHEDULER ? SCHEDULER : STARTUP;
		return;
	}
	gr = goroutine_of(p, goid);
	if (s->mode == FUNCTIONS) {
		key->windows = p->mask | t->c_mask;
		if (gr)
			key->windows |= gr->inherited | gr->open;
		return;
	}
	if (key->place == SCHEDULER)
		key->windows = st->open;
	else if (gr)
		key->windows = st->open && gr->inherited && gr->epoch == st->epoch;
	else if (t->c_thread)
		key->windows = st->open && t->c_mask && t->c_epoch == st->epoch;
	if (key->windows == 0 && key->place != SCHEDULER)
		key->place = OUTSIDE;
}

static __always_inline void place_call(struct process *p, struct slot *s, struct state *st,
				       struct thread *t, struct pt_regs *regs, struct key *key)
{
	int whole = p->child && (s->mode != FUNCTIONS || p->mask);
	if (p->own && !whole) {
		place_own(p, s, st, t, regs, key);
		return;
	}
	key->place = p->child || !(s->flags & GO) ? CHILD : STARTUP;
	if (s->mode == PROCESS)
		key->windows = 1;
	else
		key->windows = s->mode == INPUTS ? p->mask && p->epoch == st->epoch : p->mask;
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

// The protocol of fuzz workers: requests come by descriptor 3, replies go by 4.
static __always_inline int is_protocol(struct process *p, struct slot *s, struct state *st,
				       struct thread *t, struct pt_regs *regs, u32 number)
{
	if (s->mode != INPUTS || !p->own || !p->root || p->child)
		return 0;
	if (number == NR_READ && R_ARG0(regs) == 3) {
		t->opens = 1;
		return 1;
	}
	if (number == NR_WRITE && R_ARG0(regs) == 4) {
		st->open = 0;
		return 1;
	}
	return 0;
}

static __always_inline void open_input(struct process *p, struct slot *s, struct state *st,
				       struct pt_regs *regs)
{
	struct site at;
	look(&at, R_G(regs), R_STACK(regs), s);
	if (at.goid == 0) {
		ADD(no_goroutine);
		return;
	}
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	struct goroutine gr = {.inherited = 1, .epoch = st->epoch + 1, .token = p->token};
	if (goroutines.update(&key, &gr) != 0)
		ADD(lost_goroutines);
	// internal/fuzz reads on a goroutine made for it; the one that waits executes the input.
	key.goid = read_word(at.g + s->parent_goid);
	if (key.goid != 0 && goroutines.update(&key, &gr) != 0)
		ADD(lost_goroutines);
	p->epoch = ++st->epoch;
	st->open = 1;
}

int on_enter(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 number = ctx->args[1];
	struct slot *s = 0;
	struct state *st = 0;
	struct pt_regs regs;
	struct process *p = followed(id >> 32, &s, &st);
	if (!p)
		return number == NR_PRCTL ? claim(ctx, id >> 32) : 0;
	if (number == NR_RESTART || NR_PROBES(number) || !p->armed)
		return 0;
	struct thread *t = thread_of(id, st);
	if (!t)
		return 0;
	if (t->busy) // it never came back: a signal handler left it, or the tracepoint was missed
		count(p->slot, st, &t->pending);
	t->busy = t->opens = 0;
	t->feature = 0;
	t->pending.windows = 0;
	bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
	if (is_protocol(p, s, st, t, &regs, number))
		return 0;
	// In the map and not on the stack: what is there the verifier does not follow along each path.
	struct key *key = &t->pending;
	struct key fresh = {.image = p->image, .number = number, .ending = BEGUN};
	*key = fresh;
	place_call(p, s, st, t, &regs, key);
	t->epoch = st->epoch;
	if (s->mode == FUNCTIONS && key->windows == 0)
		return 0;
	if (p->own && s->flags & STACKS)
		key->stack = stack_of(p, s, st, key, &regs);
	if (is_compat(&regs, number))
		key->flags |= COMPAT;
	else
		key->kind = kind_of(&regs, number);
	t->busy = 1;
	// Of a goroutine's calls the agent sees all but the runtime's; that both mark one does no harm.
	if (s->flags & MARKED && key->place != STARTUP) {
		t->feature = 1 + (number < 511 ? number : 511) * 32 + key->kind * 3;
		mark(p->slot, t->feature - 1);
	}
	return 0;
}

// How a call ended, by what the kernel returns before it turns restarts (-512 and on) into
// another try of the same call, or EINTR.
static __always_inline u32 ending_of(u32 number, long result)
{
	if (result >= 0 || result < -4095 || number == NR_RT_SIGRETURN)
		return OK;
	if (result <= -512 && result >= -516)
		return INTERRUPTED;
	if (result == -1 || result == -13 || result == -38) // EPERM EACCES ENOSYS
		return REFUSED;
	return FAILED;
}

int on_leave(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tid = id;
	struct slot *s = 0;
	struct state *st = 0;
	struct thread *t = threads.lookup(&tid);
	if (!t || !(t->busy | t->opens))
		return 0;
	long result = ctx->args[1];
	struct process *p = followed(id >> 32, &s, &st);
	if (!p)
		return 0;
	if (t->opens) {
		struct pt_regs regs;
		t->opens = 0;
		bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
		if (result > 0)
			open_input(p, s, st, &regs);
		return 0;
	}
	t->pending.ending = ending_of(t->pending.number, result);
	t->busy = 0;
	count(p->slot, st, &t->pending);
	if (t->feature && t->pending.ending != INTERRUPTED && result != -4)
		mark(p->slot, t->feature - 1 + (t->pending.ending == OK ? 1 : 2));
	return 0;
}

int on_fork(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tid = id, tgid = id >> 32, zero = 0;
	u32 child[2] = {}; // pid and tgid, in the kernel's words
	struct slot *s = 0;
	struct state *st = 0;
	struct session *session = sessions.lookup(&zero);
	if (!session)
		return 0;
	bpf_probe_read_kernel(child, sizeof(child), (void *)(ctx->args[1] + session->pid));
	struct process *p = followed(tgid, &s, &st);
	if (child[1] != tgid)
		processes.delete(&child[1]); // of another process that had the number
	threads.delete(&child[0]);
	if (!p)
		return 0;
	struct thread *t = threads.lookup(&tid);
	if (child[1] == tgid) {
		__sync_fetch_and_add(&p->threads, 1);
		if (!t || t->pending.place != C || !t->busy)
			return 0;
		struct thread made = {.c_thread = 1, .c_mask = t->pending.windows, .c_epoch = t->epoch};
		if (!made.c_mask) {
			made.c_mask = t->c_mask;
			made.c_epoch = t->c_epoch;
		}
		if (threads.update(&child[0], &made) != 0)
			ADD(lost_threads);
		return 0;
	}
	struct process made = *p;
	made.life = unique();
	made.threads = 1;
	made.root = 0;
	made.child = p->child | p->own;
	if (t && t->pending.windows && s->mode != PROCESS) {
		made.mask |= t->pending.windows;
		if (!p->mask)
			made.epoch = t->epoch;
	}
	name_task(&made, st, p->image);
	if (processes.update(&child[1], &made) != 0)
		ADD(lost_processes);
	return 0;
}

int on_exec(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 old = ctx->args[1]; // the thread's id before it became the process's only one
	struct slot *s = 0;
	struct state *st = 0;
	struct process *p = followed(id >> 32, &s, &st);
	if (!p)
		return 0;
	struct thread *t = threads.lookup(&old);
	if (t && t->busy) // it does not return to who called it
		count(p->slot, st, &t->pending);
	if (t && t->busy && s->mode != PROCESS && t->pending.windows) { // made by who was inside
		p->mask |= t->pending.windows;
		p->epoch = t->epoch;
	}
	threads.delete(&old);
	u64 parent = p->armed ? p->image : 0;
	struct key start = {.number = NR_EXECVE, .ending = BEGUN, .place = STARTUP,
			    .windows = s->mode == PROCESS};
	int counted = !p->armed && s->mode != FUNCTIONS;
	p->child |= p->own;
	p->own = 0;
	p->base = 0;
	p->armed = 1;
	p->life = unique();
	name_task(p, st, parent);
	start.image = p->image;
	if (counted) // the one that began it all was called before the process was looked at
		count(p->slot, st, &start);
	return 0;
}

int on_exit(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tgid = id >> 32, tid = id;
	struct slot *s = 0;
	struct state *st = 0;
	struct thread *t = threads.lookup(&tid);
	struct process *p;
	if (t && t->busy) {
		p = followed(tgid, &s, &st);
		if (p)
			count(p->slot, st, &t->pending);
	}
	if (t)
		threads.delete(&tid);
	p = processes.lookup(&tgid);
	if (p && __sync_fetch_and_add(&p->threads, -1ull) == 1)
		processes.delete(&tgid);
	return 0;
}

// What follows are uprobes, one program for all. Their cookie says it all: the number of the file,
// what is to be done there, and the offset in the file. So one probe serves every slot that follows
// the same file. Two probes at one place do no harm: all that is done can be done twice.
#define COOKIE_FILE(c) ((c) >> 48)
#define COOKIE_KIND(c) ((c) >> 44 & 15)
enum {
	ON_START,
	ON_CALL,
	ON_RETURN,
	ON_BORN,
	ON_RECOVER,
	ON_GOEXIT,
	ON_C_CALL,
	ON_C_RETURN,
	ON_CALLBACK,
	ON_CALLBACK_END,
};

// The process, if this probe is in the program that its slot is about, and it runs it.
static __always_inline struct process *probed(struct pt_regs *ctx, struct slot **s,
					      struct state **st)
{
	struct process *p = followed(bpf_get_current_pid_tgid() >> 32, s, st);
	if (!p || !p->own || COOKIE_FILE(bpf_get_attach_cookie(ctx)) != (*s)->file)
		return 0;
	return p;
}

// At the ELF entry point.
static __always_inline int on_start(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct process *p = followed(bpf_get_current_pid_tgid() >> 32, &s, &st);
	if (!p || COOKIE_FILE(bpf_get_attach_cookie(ctx)) != s->file)
		return 0;
	u64 parent = p->image;
	p->base = R_IP(ctx) - s->entry;
	p->own = 1;
	p->life = unique();
	name_task(p, st, parent);
	return 0;
}

// The windows that a probe is for, as a mask; 0: none of this slot's.
static __always_inline u64 windows_of(struct pt_regs *ctx, u32 slot)
{
	struct point_key key = {.cookie = bpf_get_attach_cookie(ctx), .slot = slot};
	u64 *windows = points.lookup(&key);
	return windows ? *windows : 0;
}

static __always_inline struct goroutine *make_goroutine(struct goroutine_key *key,
							 struct process *p, struct state *st)
{
	struct goroutine *gr = goroutines.lookup(key), fresh = {.token = p->token};
	if (gr)
		return gr;
	goroutines.insert(key, &fresh);
	gr = goroutines.lookup(key);
	if (!gr)
		ADD(lost_goroutines);
	return gr;
}

static __always_inline void open_window(struct goroutine_key *key, struct goroutine *gr,
					struct state *st, u64 window, u64 distance)
{
	struct frame_key frame = {.life = key->life, .goid = key->goid, .window = window};
	u64 *outer = gr->open >> window & 1 ? frames.lookup(&frame) : 0;
	if (outer && *outer < distance)
		return; // recursion
	if (frames.update(&frame, &distance) != 0) {
		ADD(lost_goroutines);
		return;
	}
	gr->open |= 1ull << window;
}

// At the entry of a function with a window, or behind its stack check. The frame is known by its
// distance from the upper end of the stack, which does not change when the stack grows and moves.
// A function whose prologue grew the stack may come by twice, with the same distance.
static __always_inline int on_call(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct process *p = probed(ctx, &s, &st);
	u64 windows = p ? windows_of(ctx, p->slot) : 0;
	if (!p || !windows)
		return 0;
	look(&at, R_G(ctx), R_STACK(ctx), s);
	if (at.goid == 0) {
		ADD(no_goroutine);
		return 0;
	}
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	struct goroutine *gr = make_goroutine(&key, p, st);
	if (!gr)
		return 0;
	u64 distance = at.high - R_STACK(ctx);
	for (u64 window = 0; window < 64; window++) {
		if (!(windows >> window))
			break;
		if (windows >> window & 1)
			open_window(&key, gr, st, window, distance);
	}
	return 0;
}

static __always_inline void close_window(struct goroutine_key *key, struct goroutine *gr,
					 u64 window)
{
	struct frame_key frame = {.life = key->life, .goid = key->goid, .window = window};
	frames.delete(&frame);
	gr->open &= ~(1ull << window);
}

// At each RET of such a function, which it may share with others that jump there.
static __always_inline int on_return(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct process *p = probed(ctx, &s, &st);
	u64 windows = p ? windows_of(ctx, p->slot) : 0;
	if (!p || !windows)
		return 0;
	look(&at, R_G(ctx), R_STACK(ctx), s);
	if (at.goid == 0)
		return 0;
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	struct frame_key frame = {.life = p->life, .goid = at.goid};
	struct goroutine *gr = goroutines.lookup(&key);
	if (!gr)
		return 0;
	windows &= gr->open;
	for (u64 window = 0; window < 64; window++) {
		if (!(windows >> window))
			break;
		if (!(windows >> window & 1))
			continue;
		frame.window = window;
		u64 *outer = frames.lookup(&frame);
		if (outer && *outer == at.high - R_STACK(ctx))
			close_window(&key, gr, window);
	}
	if (!gr->open && !gr->inherited)
		goroutines.delete(&key);
	return 0;
}

// At the RETs of runtime.newproc1, which gives the new goroutine before anything can run it.
static __always_inline int on_born(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct process *p = probed(ctx, &s, &st);
	if (!p)
		return 0;
	u64 g = R_RESULT(ctx);
	u64 parent = read_word(g + s->parent_goid);
	struct goroutine *creator = goroutine_of(p, parent);
	struct goroutine_key key = {.life = p->life, .goid = read_word(g + s->goid)};
	struct goroutine made = {.token = p->token};
	if (creator) {
		made.inherited = creator->inherited | creator->open;
		made.epoch = creator->epoch;
	} else if (s->mode == INPUTS && parent == 0) {
		// The scheduler made it, for a timer. Which input set that, nothing here tells; but what
		// an earlier one set does not come again when the input is executed twice.
		made.inherited = st->open;
		made.epoch = st->epoch;
	}
	if (key.goid != 0 && made.inherited && goroutines.update(&key, &made) != 0)
		ADD(lost_goroutines);
	return 0;
}

// Closes the windows of frames further in than a distance.
static __always_inline void unwind(struct goroutine_key *key, struct goroutine *gr, u64 distance)
{
	struct frame_key frame = {.life = key->life, .goid = key->goid};
	for (u64 window = 0; window < 64; window++) {
		if (!(gr->open >> window & 1))
			continue;
		frame.window = window;
		u64 *outer = frames.lookup(&frame);
		if (!outer || *outer > distance)
			close_window(key, gr, window);
	}
}

// At runtime.recovery's jump to runtime.gogo: the frames below the recovering one are gone. A call
// made by that one has its distance plus what the call pushes.
static __always_inline int on_recover(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct process *p = probed(ctx, &s, &st);
	if (!p)
		return 0;
	u64 gobuf[3] = {};
	if (bpf_probe_read_user(gobuf, sizeof(gobuf), (void *)R_RESULT(ctx)) != 0) {
		ADD(no_goroutine);
		return 0;
	}
	u64 distance = read_word(gobuf[2] + 8) - gobuf[0];
	struct goroutine_key key = {.life = p->life, .goid = read_word(gobuf[2] + s->goid)};
	struct goroutine *gr = goroutines.lookup(&key);
	if (gr)
		unwind(&key, gr, CALL_PUSHES ? distance : distance - 1);
	return 0;
}

// At the entry of runtime.goexit1, where a goroutine ends however it came to that.
static __always_inline int on_goexit(struct pt_regs *ctx)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct process *p = probed(ctx, &s, &st);
	if (!p)
		return 0;
	look(&at, R_G(ctx), R_STACK(ctx), s);
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	struct goroutine *gr = goroutines.lookup(&key);
	if (!gr)
		return 0;
	if (gr->open)
		unwind(&key, gr, 0);
	goroutines.delete(&key);
	return 0;
}

// Whose C code a thread runs. The runtime calls C code of its own, to start threads, and says
// nothing; so the state is exact at every moment: C begins and ends in runtime.cgocall, and is left
// for Go and resumed in runtime.cgocallbackg. A panic through C code leaves it from there.
static __always_inline struct thread *crossing(struct pt_regs *ctx, struct process **p,
					       struct slot **s, struct state **st, struct site *at)
{
	u32 tid = bpf_get_current_pid_tgid();
	*p = probed(ctx, s, st);
	if (!*p)
		return 0;
	look(at, R_G(ctx), R_STACK(ctx), *s);
	if (at->goid == 0) {
		struct state *state = *st;
		__sync_fetch_and_add(&state->no_goroutine, 1);
		return 0;
	}
	return thread_of(tid, *st);
}

// Where cgocall goes to C.
static __always_inline int on_c_call(struct pt_regs *ctx)
{
	struct process *p = 0;
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct thread *t = crossing(ctx, &p, &s, &st, &at);
	if (t)
		t->c_goroutine = at.goid;
	return 0;
}

// Where it is back, on the same thread.
static __always_inline int on_c_return(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct thread *t = threads.lookup(&tid);
	if (t)
		t->c_goroutine = 0;
	return 0;
}

// At the entry of cgocallbackg. On a thread that C made, the goroutine is one that such threads
// share by turns: it is for this callback what the thread is.
static __always_inline int on_callback(struct pt_regs *ctx)
{
	struct process *p = 0;
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct thread *t = crossing(ctx, &p, &s, &st, &at);
	if (!t)
		return 0;
	t->c_goroutine = 0;
	t->in_callback = 1;
	if (!t->c_thread || !t->c_mask)
		return 0;
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	struct goroutine made = {.inherited = t->c_mask, .epoch = t->c_epoch, .token = p->token};
	if (goroutines.update(&key, &made) != 0)
		ADD(lost_goroutines);
	return 0;
}

// At its RETs.
static __always_inline int on_callback_end(struct pt_regs *ctx)
{
	struct process *p = 0;
	struct slot *s = 0;
	struct state *st = 0;
	struct site at;
	struct thread *t = crossing(ctx, &p, &s, &st, &at);
	if (!t)
		return 0;
	t->c_goroutine = at.goid;
	t->in_callback = 0;
	if (!t->c_thread)
		return 0;
	struct goroutine_key key = {.life = p->life, .goid = at.goid};
	goroutines.delete(&key);
	return 0;
}

int on_probe(struct pt_regs *ctx)
{
	switch (COOKIE_KIND(bpf_get_attach_cookie(ctx))) {
	case ON_START:
		return on_start(ctx);
	case ON_CALL:
		return on_call(ctx);
	case ON_RETURN:
		return on_return(ctx);
	case ON_BORN:
		return on_born(ctx);
	case ON_RECOVER:
		return on_recover(ctx);
	case ON_GOEXIT:
		return on_goexit(ctx);
	case ON_C_CALL:
		return on_c_call(ctx);
	case ON_C_RETURN:
		return on_c_return(ctx);
	case ON_CALLBACK:
		return on_callback(ctx);
	case ON_CALLBACK_END:
		return on_callback_end(ctx);
	}
	return 0;
}
