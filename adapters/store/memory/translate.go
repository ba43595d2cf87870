package memory

import (
	"errors"

	"github.com/gal-friday/marketdata/domain"
	"github.com/gal-friday/marketdata/ports"
)

var errUsed = errors.New("range over a sequence a second time; request another one")

// translate converts an error into a *ports.Error, which every exported method must return. It returns nil for nil.
func translate(op, subject string, err error) error {
	if err == nil {
		return nil
	}

	kind := ports.ContextKind(err)
	switch {
	case kind != nil:
	case errors.Is(err, domain.ErrOverflow): // of stored rows, because arguments cannot overflow
		kind = ports.ErrCorruptData
	case errors.Is(err, ports.ErrInvalid), errors.Is(err, errUsed):
		kind = ports.ErrInvalid
	case errors.Is(err, ports.ErrConflict):
		kind = ports.ErrConflict
	default:
		kind = ports.ErrInternal
	}

	return &ports.Error{Kind: kind, Op: op, Store: Name, Subject: subject, Err: err}
}
