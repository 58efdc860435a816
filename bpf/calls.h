// SPDX-License-Identifier: GPL-2.0-only
//
// The raw tracepoints: system calls from their beginning to their end, and the lives of processes.

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

// Place and windows of a call of the program itself, into key.
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
#ifndef DENIALS
	if (p->own && s->flags & STACKS)
		key->stack = stack_of(p, s, st, key, &regs);
#endif
	if (is_compat(&regs, number))
		key->flags |= COMPAT;
	else
		tell_arguments(&regs, key);
	t->busy = 1;
#ifdef DENIALS
	if (is_suspect(number, key)) {
		if (p->own && s->flags & STACKS)
			key->stack = stack_of(p, s, st, key, &regs);
		keep_denial(p, s, st, &regs, key, 0, 1);
	}
#endif
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

#ifdef DENIALS
static __always_inline void denied(struct bpf_raw_tracepoint_args *ctx, u64 id)
{
	struct slot *s = 0;
	struct state *st = 0;
	struct pt_regs regs;
	long result = ctx->args[1];
	struct process *p = followed(id >> 32, &s, &st);
	if (!p)
		return;
	bpf_probe_read_kernel(&regs, sizeof(regs), (void *)ctx->args[0]);
	u32 number = R_NUMBER(&regs);
	if (begins_nowhere(p, number, result))
		return;
	struct thread *t = thread_of(id, st);
	if (!t)
		return;
	struct key *key = &t->pending;
	struct key fresh = {.image = p->image, .number = number};
	*key = fresh;
	place_call(p, s, st, t, &regs, key);
	if (p->own && s->flags & STACKS)
		key->stack = stack_of(p, s, st, key, &regs);
	if (is_compat(&regs, number))
		key->flags |= COMPAT;
	keep_denial(p, s, st, &regs, key, result, 0);
}
#endif

int on_leave(struct bpf_raw_tracepoint_args *ctx)
{
	u64 id = bpf_get_current_pid_tgid();
	u32 tid = id;
	struct slot *s = 0;
	struct state *st = 0;
	struct thread *t = threads.lookup(&tid);
	if (!t || !(t->busy | t->opens)) {
#ifdef DENIALS
		denied(ctx, id);
#endif
		return 0;
	}
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
