package main

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/gal-friday/marketdata/domain"
)

// byteProgress shows on standard error how many of size bytes were written to counter; a size of -1 is unknown. The
// caller must call done at the end. It shows nothing where standard error is no terminal.
func (c *command) byteProgress(name string, size int64) (counter io.Writer, done func()) {
	if !isTerminal(c.progress) {
		return io.Discard, func() {}
	}

	return c.progressBar(escapeControls(name), size, progressbar.OptionShowBytes(true)), c.endProgress
}

// rangeProgress shows on standard error how much of the ranges was passed. It is used as byteProgress is.
func (c *command) rangeProgress(name string, ranges []domain.Range) (passed func(domain.Range), done func()) {
	if !isTerminal(c.progress) {
		return func(domain.Range) {}, func() {}
	}

	seconds := func(r domain.Range) int64 { return r.End.Unix() - r.Start.Unix() }
	var total int64
	for _, r := range ranges {
		total += seconds(r)
	}
	bar := c.progressBar(name, total)

	return func(r domain.Range) { _ = bar.Add64(seconds(r)) }, c.endProgress
}

func (c *command) progressBar(name string, size int64, options ...progressbar.Option) *progressbar.ProgressBar {
	const interval = 100 * time.Millisecond
	return progressbar.NewOptions64(size, append(options,
		progressbar.OptionSetWriter(c.progress),
		progressbar.OptionSetDescription(name),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(interval),
	)...)
}

// endProgress ends the line of a progress bar.
func (c *command) endProgress() { _, _ = io.WriteString(c.progress, "\n") }
