package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on standard error that counts bytes of so many, -1 where nobody knows; nothing is shown off a terminal.
func (c *command) progress(name string, size int64) *progressbar.ProgressBar {
	var out io.Writer = io.Discard
	if isTerminal(c.err) {
		out = c.err
	}
	const often = 100 * time.Millisecond
	return progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(out),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(often),
		progressbar.OptionOnCompletion(func() { _, _ = io.WriteString(out, "\n") }),
	)
}
