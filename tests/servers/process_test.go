package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A server that ignores INT is killed, so stop returns and removes the directory.
func TestStopKillsServerThatIgnoresInterrupt(t *testing.T) {
	t.Parallel()
	stubborn := program{
		command: func(dir, _ string) (*exec.Cmd, error) {
			script := "trap '' INT; touch " + filepath.Join(dir, "ready") + "; while :; do sleep 0.1; done"
			return exec.Command("/bin/sh", "-c", script), nil
		},
		checkReady: func(string) error { return nil },
	}
	p, err := stubborn.startAt("")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.waitReady(func() error { _, err := os.Stat(filepath.Join(p.dir, "ready")); return err }); err != nil {
		t.Fatal(err)
	}

	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.dir); !os.IsNotExist(err) {
		t.Errorf("the directory is left: %v", err)
	}
}
