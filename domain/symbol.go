package domain

import "strings"

// MaxSymbolLength is the largest length of a Symbol, in bytes.
const MaxSymbolLength = 64

// symbolSigns are the signs that a Symbol may contain: those of tickers, like ^GSPC, ES=F, BRK.B, $SPX, M&M.NS, @ES#,
// NQ1! and BAC+L. White space, quotes, backslashes, commas and wildcards would be part of a query language or of a file
// format.
const symbolSigns = "._:/-^=$+&#@!"

// Symbol is the name of an instrument, like BTC/USD, optionally with its venue, like COINBASE:BTC/USD. It consists of 1
// to 64 bytes of A-Z a-z 0-9 . _ : / - ^ = $ + & # @ ! and is never converted: kPEPE and KPEPE are two symbols.
type Symbol string

// ParseSymbol returns s as a Symbol, or the error of Symbol.Validate.
func ParseSymbol(s string) (Symbol, error) {
	return Symbol(s), Symbol(s).Validate()
}

// Validate returns an error that wraps ErrInvalid if the Symbol is malformed.
func (s Symbol) Validate() error {
	if s == "" {
		return invalid("symbol", "", "empty; name one like BTC/USD")
	}
	if len(s) > MaxSymbolLength {
		return invalid("symbol", string(s), "%d bytes; at most %d", len(s), MaxSymbolLength)
	}

	for i := range len(s) {
		c := s[i]
		isLetter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !isLetter && (c < '0' || c > '9') && strings.IndexByte(symbolSigns, c) < 0 {
			return invalid("symbol", string(s), "only letters, digits and %s are allowed", symbolSigns)
		}
	}

	return nil
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
