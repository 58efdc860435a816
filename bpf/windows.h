// SPDX-License-Identifier: GPL-2.0-only
//
// Uprobes, one program for all of them. Their cookie says it all: the number of the file,
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
