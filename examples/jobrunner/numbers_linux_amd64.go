package jobrunner

// System call numbers newer than the syscall package, from asm/unistd_64.h.
const (
	sysRenameat2     = 316
	sysMemfdCreate   = 319
	sysCopyFileRange = 326
	sysStatx         = 332
)
