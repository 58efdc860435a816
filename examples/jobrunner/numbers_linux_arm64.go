package jobrunner

// System call numbers newer than the syscall package, from asm-generic/unistd.h.
const (
	sysRenameat2     = 276
	sysMemfdCreate   = 279
	sysCopyFileRange = 285
	sysStatx         = 291
)
