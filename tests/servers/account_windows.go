package servers

import "syscall"

// account is a user of the machine. Windows has no users with numbers.
type account struct{ uid, gid int }

// attributes returns nil, the default: a process starts as the user of this process.
func (*account) attributes() *syscall.SysProcAttr { return nil }
