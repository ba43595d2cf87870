package servers

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// supervise runs a server and stops it when standard input ends, which is when the process that started it lets go or dies. INT is a
// fast and clean end for all three servers; CONT reaches one that a test has stopped. KILL follows after ten seconds, because the shell
// starts its background jobs with INT ignored: a server that does not yet handle signals never sees one that came early.
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
	startTimeout = 2 * time.Minute // a busy machine
	startTries   = 3               // another process may take the free port first
	pollInterval = 20 * time.Millisecond
)

// process is a server under its supervisor.
type process struct {
	dir     string
	control *os.File // the end that keeps the server alive
	command *exec.Cmd
}

// run starts a server on a free port: prepare makes the command for a directory and an address, ready asks whether it answers.
func run(as *syscall.Credential, prepare func(dir, address string) (*exec.Cmd, error), ready func(address string) error) (
	p *process, address string, err error,
) {
	for range startTries {
		if address, err = freeAddress(); err != nil {
			return nil, "", err
		}
		if p, err = start(as, address, prepare, ready); err == nil {
			return p, address, nil
		}
	}
	return nil, "", err
}

func start(
	as *syscall.Credential, address string, prepare func(dir, address string) (*exec.Cmd, error), ready func(string) error,
) (*process, error) {
	dir, err := os.MkdirTemp("", "marketdata-server-")
	if err != nil {
		return nil, err
	}

	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}

	server, err := prepare(dir, address)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	read, write, err := os.Pipe() // both ends close on exec: no other child keeps the server alive
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}

	defer read.Close()
	sh := exec.Command("/bin/sh", append([]string{"-c", supervise, "supervise", dir}, server.Args...)...)
	sh.Dir, sh.Env, sh.Stdin = dir, server.Env, read
	sh.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true} // a Ctrl-C is for the tests; the shell sees them end
	if err := sh.Start(); err != nil {
		return nil, errors.Join(err, write.Close(), os.RemoveAll(dir))
	}

	p := &process{dir: dir, control: write, command: sh}
	if err := p.await(func() error { return ready(address) }); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, errors.Join(fmt.Errorf("start %s: %w\n%s", filepath.Base(server.Path), err, tail(log)), p.stop())
	}

	return p, nil
}

// await polls until the server answers, ends or takes too long.
func (p *process) await(ready func() error) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if _, gone := os.Stat(filepath.Join(p.dir, "exited")); gone == nil {
			return errors.New("the server ended")
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %s: %w", startTimeout, err)
		}

		<-time.After(pollInterval)
	}
}

// stop ends the server and returns when it and its directory are gone.
func (p *process) stop() error {
	return errors.Join(p.control.Close(), p.command.Wait())
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}

	return l.Addr().String(), l.Close()
}

// tail is the end of a log, enough to see why a server ended.
func tail(log []byte) []byte {
	const enough = 2000
	return log[max(0, len(log)-enough):]
}
