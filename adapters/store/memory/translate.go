package memory

import (
	"errors"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var errUsed = errors.New("a sequence is ranged over once; ask for another")

// translate makes every error that leaves the store a *ports.Error; nil stays nil.
func translate(op, subject string, err error) error {
	if err == nil {
		return nil
	}

	kind := ports.ContextKind(err)
	switch {
	case kind != nil:
	case errors.Is(err, domain.ErrOverflow): // of what is held, not of what was given
		kind = ports.ErrCorruptData
	case errors.Is(err, ports.ErrInvalid), errors.Is(err, errUsed):
		kind = ports.ErrInvalid
	default:
		kind = ports.ErrInternal
	}

	return &ports.Error{Kind: kind, Op: op, Store: Name, Subject: subject, Err: err}
}
