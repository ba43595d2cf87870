package ports

// LocalStore tells whether calls of a store wait.
type LocalStore interface {
	// Local reports whether no call of the store waits for anything but memory. Such calls may run on the caller's
	// goroutine and are ended by the caller's context alone. A decorator must forward it, unless it waits itself.
	Local() bool
}
