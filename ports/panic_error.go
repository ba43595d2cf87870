package ports

import "fmt"

// PanicError is the cause of an ErrInternal: a store, catalog or cache panicked.
type PanicError struct {
	Value any    // the value of the panic
	Stack []byte // of the panicking goroutine, as debug.Stack formats it
}

// Error is the value of the panic as text.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
