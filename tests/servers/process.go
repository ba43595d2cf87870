package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// supervise runs a server and stops it at the end of standard input, which comes when the starting process closes the
// pipe or ends. INT is the fast, clean shutdown of all three servers. CONT wakes a server that a test has suspended.
// KILL follows after ten seconds, because the shell starts background jobs with INT ignored: a server that does not
// handle signals yet misses one.
const supervise = `
dir=$1; shift
( "$@" >"$dir/log" 2>&1 </dev/null & echo $! >"$dir/pid"; wait $!; touch "$dir/exited" ) &
read -r _
[ -e "$dir/exited" ] || { kill -INT "$(cat "$dir/pid")"; kill -CONT "$(cat "$dir/pid")"; }
polls=0
while [ ! -e "$dir/exited" ] && [ $polls -lt 400 ]; do
	polls=$((polls + 1))
	[ $polls -ne 200 ] || kill -KILL "$(cat "$dir/pid")"
	sleep 0.05
done
wait
rm -rf "$dir"
`

const (
	startTimeout     = 2 * time.Minute // on a busy machine
	maxStartAttempts = 3               // because another process may take the free port first
	pollInterval     = 20 * time.Millisecond
)

// program describes how to start a server.
type program struct {
	account *account // the user of the server; nil is the user of this process

	// command returns the command for a directory and an address to listen on. It may write files to the directory.
	command func(dir, address string) (*exec.Cmd, error)

	// checkReady returns nil if the server at the address serves requests.
	checkReady func(address string) error
}

// process is a server with its supervising shell.
type process struct {
	dir     string
	control *os.File // the end of the pipe that keeps the server alive
	shell   *exec.Cmd
}

// start starts the server on a free port and waits until it is ready. It returns the address of the server.
func (p program) start() (server *process, address string, err error) {
	for range maxStartAttempts {
		if address, err = freeAddress(); err != nil {
			return nil, "", err
		}
		if server, err = p.startAt(address); err == nil {
			return server, address, nil
		}
	}

	return nil, "", err
}

func (p program) startAt(address string) (*process, error) {
	dir, err := os.MkdirTemp("", "marketdata-server-")
	if err != nil {
		return nil, err
	}

	if p.account != nil {
		if err := os.Chown(dir, p.account.uid, p.account.gid); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}

	command, err := p.command(dir, address)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	server, err := startSupervised(dir, command, p.account)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	if err := server.waitReady(func() error { return p.checkReady(address) }); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		err = fmt.Errorf("start %s: %w\n%s", filepath.Base(command.Path), err, logTail(log))
		return nil, errors.Join(err, server.stop())
	}

	return server, nil
}

// startSupervised starts the supervising shell, which starts the command.
func startSupervised(dir string, command *exec.Cmd, runAs *account) (*process, error) {
	read, write, err := os.Pipe() // both ends close on exec, so no other child keeps the server alive
	if err != nil {
		return nil, err
	}

	defer read.Close()
	sh := exec.Command("/bin/sh", append([]string{"-c", supervise, "supervise", dir}, command.Args...)...)
	sh.Dir, sh.Env, sh.Stdin = dir, command.Env, read
	sh.SysProcAttr = runAs.attributes()
	if err := sh.Start(); err != nil {
		return nil, errors.Join(err, write.Close())
	}

	return &process{dir: dir, control: write, shell: sh}, nil
}

// waitReady polls until the server is ready. It returns an error if the server ends or is not ready within
// startTimeout.
func (p *process) waitReady(checkReady func() error) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := checkReady()
		if err == nil {
			return nil
		}
		if _, statErr := os.Stat(filepath.Join(p.dir, "exited")); statErr == nil {
			return errors.New("the server ended")
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready within %s: %w", startTimeout, err)
		}

		<-time.After(pollInterval)
	}
}

// stop stops the server. It returns when the server has ended and its directory is removed.
func (p *process) stop() error {
	return errors.Join(p.control.Close(), p.shell.Wait())
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}

	return l.Addr().String(), l.Close()
}

// logTail returns the end of a log, for errors.
func logTail(log []byte) []byte {
	const maxTail = 2000
	return log[max(0, len(log)-maxTail):]
}
