//go:build unix

package servers

import "syscall"

// account is a user of the machine.
type account struct{ uid, gid int }

// attributes returns how a process starts: as the user a, or as the user of this process if a is nil. It has a process
// group of its own, because Ctrl-C must reach the tests and not the server.
func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}

	return attributes
}
