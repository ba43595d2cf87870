package wiring

import (
	"errors"
	"fmt"
	"log/slog"
)

// hidden is printed in the place of a secret.
const hidden = "(hidden)"

// Secret is a text that is printed, logged and marshalled as "(hidden)" in whatever way; Reveal alone tells it. The
// zero value is no secret, and printed as nothing.
type Secret struct {
	text *string // behind a pointer, so that fmt's way around methods of unexported fields shows an address
}

// NewSecret returns the Secret of a text; "" is none.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal is the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String is "(hidden)", or "" where there is no secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return hidden
}

// GoString is String.
func (s Secret) GoString() string { return s.String() }

// Format prints String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue is String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String; JSON and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the secret, and refuses what MarshalText put in its place.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == hidden {
		return errors.New("the secret is hidden here; write it, or leave it out and set it in the environment")
	}

	*s = NewSecret(string(text))
	return nil
}
