// Command release checks the licenses of everything that the command marketdata and the packages of the module link,
// and builds the command for every platform.
//
//	release check ROOT        check the licenses
//	release build ROOT DIR    check the licenses, then write programs, NOTICE, LINKED and SHA256SUMS to DIR
//
// Two builds of one commit with one version of Go write the same bytes.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "check":
		linked, err := checkLicenses(args[1])
		if err != nil {
			return err
		}

		fmt.Printf("licenses: %d modules, all allowed\n", len(linked))

		return nil
	case len(args) == 3 && args[0] == "build":
		linked, err := checkLicenses(args[1])
		if err != nil {
			return err
		}

		return build(args[1], args[2], linked)
	default:
		return errors.New("usage: release check ROOT | release build ROOT DIR")
	}
}
