package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// defaultPager shows one page at once (-F), colors (-R), and leaves the text on the screen (-X).
const defaultPager = "less -FRX"

// pager is a program that shows the output page by page.
type pager struct {
	process *exec.Cmd
	input   io.WriteCloser
}

// startPager sends the output to a pager if --pager was given and the output is a terminal.
func (c *command) startPager() error {
	screen, ok := c.out.(*terminal)
	if !ok || !c.usePager {
		return nil
	}

	words := strings.Fields(cmp.Or(strings.TrimSpace(os.Getenv("PAGER")), defaultPager))
	process := exec.Command(words[0], words[1:]...) //nolint:gosec,noctx // the user names it, and quits it
	process.Stdout, process.Stderr = screen.Writer, os.Stderr
	input, err := process.StdinPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		return userErrorf("--pager: %w; set PAGER to a program that is installed", err)
	}

	c.pager = &pager{process: process, input: input}
	c.out = &terminal{Writer: input, width: screen.width, hasColor: screen.hasColor}

	return nil
}

// stopPager waits until the pager ends and returns the error of the command, or else that of the pager. A pager that
// was quit before the end of the output is no error.
func (c *command) stopPager(err error) error {
	if c.pager == nil {
		return err
	}
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}

	closeErr := c.pager.input.Close()
	if waitErr := c.pager.process.Wait(); waitErr != nil && err == nil {
		return fmt.Errorf("--pager: %s: %w", c.pager.process.Path, waitErr)
	}
	if errors.Is(closeErr, os.ErrClosed) || errors.Is(closeErr, syscall.EPIPE) {
		closeErr = nil
	}

	return errors.Join(err, closeErr)
}
