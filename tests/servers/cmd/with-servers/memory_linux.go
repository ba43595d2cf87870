package main

import "syscall"

const (
	sharedMemory = "/dev/shm"
	roomNeeded   = 8 << 30 // bytes; the log of PostgreSQL alone may grow to 4 GiB (max_wal_size)
	noExec       = 0x8     // ST_NOEXEC of statfs(2): tests run programs that they build
)

// memoryDir returns a folder whose files are in memory, or "" where there is none with enough room.
func memoryDir() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(sharedMemory, &fs); err != nil {
		return ""
	}
	if fs.Flags&noExec != 0 || fs.Bavail*uint64(fs.Bsize) < roomNeeded {
		return ""
	}

	return sharedMemory
}
