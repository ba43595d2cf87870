// Package access makes calls of stores on behalf of the services of app: each call has a deadline, survives a store
// that hangs or panics, checks the returned pieces against the contract of the port, names its operation in every
// error, and is counted.
//
// It also holds the one rule that routes bars to stores by their frequency. Which data a request needs, how it is
// combined and what is cached must not be decided here.
package access
