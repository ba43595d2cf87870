// Package faults proves that a program gets complete and correct bars, or a typed error in time, whatever fails below
// it. Its tests run the wiring of production over real servers that are stopped, suspended and restarted, and over a
// Proxy that fails as a network does. Production code must not import it.
//
// There is one test file for each thing that fails: postgres_test.go, import_test.go for an import that is killed,
// disk_test.go. A case is a subtest whose name begins with the row of the fault matrix and goes on with the moment or
// the state of the cache: P6/cold, I6/middle. A case asserts the kind of the error and the time it took, and the test
// binary fails if a goroutine is left. docs/faults.md names the tests of each row, also those of other packages.
package faults
