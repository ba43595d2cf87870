package ports

import "fmt"

// PanicError is the cause of the ErrInternal of a store, catalog or cache that panicked.
type PanicError struct {
	Value any    // the value of the panic
	Stack []byte // of the panicking goroutine, as debug.Stack formats it
}

// Error returns "panic: " and the value of the panic.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }
