package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress counts the bytes written to it, of size many or of nobody knows how many for -1, and shows them on standard error. It
// ends with a call of done. Off a terminal it shows nothing.
func (c *command) progress(name string, size int64) (counter io.Writer, done func()) {
	if !isTerminal(c.err) {
		return io.Discard, func() {}
	}
	const often = 100 * time.Millisecond
	bar := progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(c.err),
		progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(often),
	)
	return bar, func() { _, _ = io.WriteString(c.err, "\n") }
}
