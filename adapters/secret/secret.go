// Package secret has a type for passwords and tokens in configurations.
package secret

import (
	"errors"
	"fmt"
	"log/slog"
)

// hidden is printed in the place of a secret.
const hidden = "(hidden)"

// Secret is a text that is printed, logged and marshalled as "(hidden)"; only Reveal returns it. The zero value is no
// secret, and is printed as nothing.
type Secret struct {
	text *string // a pointer, because fmt prints unexported fields without their methods, and then shows an address
}

// New returns the Secret of a text; "" is none.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// String returns "(hidden)", or "" if there is no secret.
func (s Secret) String() string {
	if s.text == nil {
		return ""
	}
	return hidden
}

// GoString returns String.
func (s Secret) GoString() string { return s.String() }

// Format prints String whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// LogValue returns String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns String; JSON and YAML use it.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText sets the secret. It refuses the text that MarshalText writes in place of a secret.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == hidden {
		return errors.New("the secret is hidden here; write it, or leave it out and set it in the environment")
	}

	*s = New(string(text))

	return nil
}
