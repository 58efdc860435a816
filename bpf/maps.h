// SPDX-License-Identifier: GPL-2.0-only
//
// Everything that is kept: who is followed, what is counted of it, and what of that user space
// shares.

#define MAGIC 0x47465A53 // prctl option by which a process asks to be followed
#define ASK (~0ull)      // as the slot: tell user space how task_struct looks

#define DEPTH 127 // frames of a stack; what is further out is cut

enum { PROCESS, INPUTS, FUNCTIONS };                       // slot.mode
enum { BEGUN, OK, REFUSED, FAILED, INTERRUPTED };          // key.ending
enum { GOROUTINE, SCHEDULER, C, CHILD, STARTUP, OUTSIDE }; // key.place
enum { GO = 1, MARKED = 2, STACKS = 4, CGO = 8 };          // slot.flags
enum { COMPAT = 1, STACK_LOST = 2, TOLD = 4 };             // key.flags; TOLD: values are there

#define MOST_NUMBERS 512 // calls by number

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
	u64 values;  // of the deciding arguments, where TOLD
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

// Values that were counted, so that those of one call can be told from too many.
struct telling_key {
	u32 life; // the slot's
	u32 number;
	u64 values;
};

// Shared. How many different ones, by number; cleared by user space with the state.
struct tellings {
	u32 different[MOST_NUMBERS];
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
BPF_TABLE("hash", struct telling_key, u8, told, VALUES);
BPF_TABLE("array", u32, struct tellings, tellings, SLOTS);
BPF_TABLE("hash", u64, struct stack, stacks, STACKS_ROOM);
BPF_TABLE("percpu_array", u32, struct stack, scratch, 1);

#define ADD(what) __sync_fetch_and_add(&st->what, 1)
