package main

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escapeControls returns the text with each character that a terminal could take for a command as an escape of Go, like
// \x1b: control characters, those that change the direction of the text, and bytes that are not UTF-8. A line break
// stays.
func escapeControls(text string) string {
	if !strings.ContainsFunc(text, isControl) && utf8.ValidString(text) {
		return text
	}

	var s strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if isControl(r) || r == utf8.RuneError && size == 1 {
			quoted := strconv.QuoteToASCII(text[:size])
			s.WriteString(quoted[1 : len(quoted)-1])
		} else {
			s.WriteString(text[:size])
		}
		text = text[size:]
	}

	return s.String()
}

func isControl(r rune) bool {
	return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}
