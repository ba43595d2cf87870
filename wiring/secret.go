package wiring

import "github.com/gal-friday/marketdata/adapters/secret"

// Secret is a text that is printed, logged and marshalled as "(hidden)"; only Reveal returns it.
type Secret = secret.Secret

// NewSecret returns a Secret of text, or the zero Secret if text is empty.
func NewSecret(text string) Secret { return secret.New(text) }
