package domain

import "strings"

// MaxSymbolLength is the largest length of a Symbol, in bytes.
const MaxSymbolLength = 64

// Symbol is the name of an instrument, like BTC/USD, optionally with its venue, like COINBASE:BTC/USD. It consists of 1
// to 64 bytes of A-Z 0-9 . _ : / - and is never converted.
type Symbol string

// ParseSymbol returns s as a Symbol, or the error of Symbol.Validate.
func ParseSymbol(s string) (Symbol, error) {
	return Symbol(s), Symbol(s).Validate()
}

// Validate returns an error that wraps ErrInvalid if the Symbol is malformed. For a Symbol in lower case, the error
// suggests the one in upper case.
func (s Symbol) Validate() error {
	if s == "" {
		return invalid("symbol", "", "empty; name one like BTC/USD")
	}
	if len(s) > MaxSymbolLength {
		return invalid("symbol", string(s), "%d bytes; at most %d", len(s), MaxSymbolLength)
	}
	if s.isWellFormed() {
		return nil
	}
	if upper := Symbol(strings.ToUpper(string(s))); upper.isWellFormed() {
		return invalid("symbol", string(s), "lower case is not allowed; did you mean %q?", string(upper))
	}

	return invalid("symbol", string(s), "only A-Z 0-9 . _ : / - are allowed")
}

// isWellFormed reports whether all bytes are allowed.
func (s Symbol) isWellFormed() bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'A' && c <= 'Z', c >= '-' && c <= ':', c == '_': // '-' to ':' is - . / 0-9 :
		default:
			return false
		}
	}

	return true
}

// Venue returns the part before the first colon, or "" if there is no colon or the part contains a slash: the Symbol
// BTC/USDT:USDT-240628-70000-C has no venue.
func (s Symbol) Venue() string {
	venue, _, found := strings.Cut(string(s), ":")
	if !found || strings.Contains(venue, "/") {
		return ""
	}

	return venue
}

// Instrument returns the Symbol without its venue.
func (s Symbol) Instrument() string {
	if v := s.Venue(); v != "" {
		return string(s[len(v)+1:])
	}
	return string(s)
}

// Matches reports whether the pattern matches the whole Symbol. In the pattern, * matches any number of bytes, ?
// matches any single byte, and every other byte matches itself. It takes time proportional to the product of both
// lengths at most.
func (s Symbol) Matches(pattern string) bool {
	star, resume := -1, 0 // position of the last star, and the first byte that it does not match
	p, t := 0, 0
	for t < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[t]):
			p++
			t++
		case star >= 0: // let the last star match one more byte
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}

	for p < len(pattern) && pattern[p] == '*' {
		p++
	}

	return p == len(pattern)
}
