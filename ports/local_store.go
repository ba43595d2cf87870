package ports

// LocalStore reports whether the calls of a store may block.
type LocalStore interface {
	// Local reports whether the calls of the store wait for memory only. The application then runs them on the caller's
	// goroutine, without a timeout of its own. A decorator must forward Local, unless the decorator itself may block.
	Local() bool
}
