// SPDX-License-Identifier: GPL-2.0-only
//
// Calls from Go to C and back.

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
