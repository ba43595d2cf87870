package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/gal-friday/marketdata/domain"
)

// progress counts the bytes written to it, of size many or of nobody knows how many for -1, and shows them on standard error. It
// ends with a call of done. Off a terminal it shows nothing.
func (c *command) progress(name string, size int64) (counter io.Writer, done func()) {
	if !isTerminal(c.err) {
		return io.Discard, func() {}
	}
	return c.bar(name, size, progressbar.OptionShowBytes(true)), func() { _, _ = io.WriteString(c.err, "\n") }
}

// progressOver is progress through ranges of time.
func (c *command) progressOver(name string, ranges []domain.Range) (passed func(domain.Range), done func()) {
	if !isTerminal(c.err) {
		return func(domain.Range) {}, func() {}
	}

	seconds := func(r domain.Range) int64 { return r.End.Unix() - r.Start.Unix() }
	var all int64
	for _, r := range ranges {
		all += seconds(r)
	}
	bar := c.bar(name, all)

	return func(r domain.Range) { _ = bar.Add64(seconds(r)) }, func() { _, _ = io.WriteString(c.err, "\n") }
}

func (c *command) bar(name string, size int64, options ...progressbar.Option) *progressbar.ProgressBar {
	const often = 100 * time.Millisecond
	return progressbar.NewOptions64(size, append(options,
		progressbar.OptionSetWriter(c.err),
		progressbar.OptionSetDescription(name),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(often),
	)...)
}
