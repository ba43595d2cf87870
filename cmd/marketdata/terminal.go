package main

import (
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/gal-friday/marketdata/ports"
)

// terminal is an output stream that a person reads.
type terminal struct {
	io.Writer
	width    int  // columns; 0 means unknown
	hasColor bool // escape sequences of colors may be written
}

// asTerminal returns a *terminal for a stream that is one, and every other stream as it is.
func asTerminal(stream io.Writer) io.Writer {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return stream
	}

	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}

	return &terminal{Writer: f, width: width, hasColor: wantsColor(os.Getenv, runtime.GOOS)}
}

func isTerminal(stream io.Writer) bool {
	_, ok := stream.(*terminal)
	return ok
}

// wantsColor reports whether the environment of a terminal allows colors: NO_COLOR is empty (https://no-color.org), and
// TERM is not dumb. On Windows, TERM or WT_SESSION must say that the terminal knows escape sequences.
func wantsColor(getenv func(string) string, goos string) bool {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}

	return getenv("TERM") != "" || goos == "windows" && getenv("WT_SESSION") != ""
}

// color is the escape sequence that begins a color.
type color string

const (
	red    color = "\x1b[31m"
	green  color = "\x1b[32m"
	yellow color = "\x1b[33m"
	cyan   color = "\x1b[36m"

	endColor = "\x1b[0m"
)

// paint returns the text in the color if w is a terminal with colors.
func paint(w io.Writer, c color, text string) string {
	if t, ok := w.(*terminal); !ok || !t.hasColor || c == "" {
		return text
	}

	return string(c) + text + endColor
}

// messageColors are the colors of the first words of messages.
var messageColors = []struct {
	prefix string
	color  color
}{{"marketdata:", red}, {"error:", red}, {"warning:", yellow}, {"note:", cyan}}

// withoutKind returns the text of errors without ErrInvalid at the end of a line: the rest of the line says what is
// invalid.
func withoutKind(text string) string {
	kind := ": " + ports.ErrInvalid.Error()
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSuffix(line, kind)
	}

	return strings.Join(lines, "\n")
}

// messages writes to standard error what people read, the first word of a message in its color. It leaves out the kind
// of an error that says no more. It escapes control characters, because a message may have the name of a file, a line
// of it, or the answer of a server. It is safe for concurrent use, because the log has a goroutine of its own.
type messages struct {
	io.Writer

	mu sync.Mutex // held during a write
}

// Write writes the whole text.
func (m *messages) Write(text []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	message := escapeControls(withoutKind(string(text)))
	for _, of := range messageColors {
		if rest, ok := strings.CutPrefix(message, of.prefix); ok {
			message = paint(m.Writer, of.color, of.prefix) + rest
			break
		}
	}
	if _, err := io.WriteString(m.Writer, message); err != nil {
		return 0, err
	}

	return len(text), nil
}
