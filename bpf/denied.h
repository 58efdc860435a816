// SPDX-License-Identifier: GPL-2.0-only
//
// Calls that a seccomp filter refuses, for `profile verify`; compiled in with DENIALS alone. The
// kernel asks the filter before the tracepoint of a call's beginning, and passes that of its end all
// the same: an end without a beginning is a refused call. Besides, calls that user space suspects
// are kept with all their arguments although they went through.

#ifdef DENIALS

// Shared. What differs in nothing of this is counted.
struct denial_key {
	u64 args[6];
	u64 stack, image;
	u32 number, life;
	u8 place, flags, entered, none[5];
};

// Shared.
struct denial {
	u64 goid; // of the first, 0: no goroutine's
	u64 result;
	u64 count;
};

BPF_TABLE("hash", struct denial_key, struct denial, denials, DENIALS);
BPF_TABLE("array", u32, u64, suspects, MOST_NUMBERS); // by number: keep calls that went through
BPF_TABLE("percpu_array", u32, struct denial_key, draft, 1);

static __always_inline void keep_denial(struct process *p, struct slot *s, struct state *st,
					struct pt_regs *regs, struct key *key, long result,
					u8 entered)
{
	struct site at;
	u32 zero = 0;
	struct denial_key *d = draft.lookup(&zero);
	if (!d)
		return;
	look(&at, R_G(regs), R_STACK(regs), s);
	d->args[0] = R_ARG0(regs);
	d->args[1] = R_ARG1(regs);
	d->args[2] = R_ARG2(regs);
	d->args[3] = R_ARG3(regs);
	d->args[4] = R_ARG4(regs);
	d->args[5] = R_ARG5(regs);
	d->stack = key->stack;
	d->image = key->image;
	d->number = key->number;
	d->life = s->life;
	d->place = key->place;
	d->flags = key->flags & (COMPAT | STACK_LOST);
	d->entered = entered;
	struct denial *known = denials.lookup(d);
	if (known) {
		__sync_fetch_and_add(&known->count, 1);
		return;
	}
	struct denial fresh = {.goid = p->own && !p->child ? at.goid : 0, .result = result, .count = 1};
	if (denials.insert(d, &fresh) != 0 && !denials.lookup(d))
		ADD(lost_counts);
}

static __always_inline int is_suspect(u32 number, struct key *key)
{
	u64 *known = suspects.lookup(&number);
	return key->flags & COMPAT || !known || *known;
}

// Ends that have no beginning anyway: of the call that made the thread, of what became this
// program, and of the kernel's own.
static __always_inline int begins_nowhere(struct process *p, u32 number, long result)
{
	if (number == NR_EXECVE || number == NR_EXECVEAT)
		return result == 0;
	if (!p->armed || number == NR_RESTART || NR_PROBES(number) || number == ~0u)
		return 1;
	return result == 0 && NR_CLONES(number);
}

#endif
