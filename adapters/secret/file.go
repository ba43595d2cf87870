package secret

import (
	"errors"
	"os"
	"strings"
)

// FileError reports that a secret could not be read from its file. It never has the secret.
type FileError struct {
	Setting string // that names the file
	Err     error
}

// Error names the setting and the cause.
func (e *FileError) Error() string { return e.Setting + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FileError) Unwrap() error { return e.Err }

// ReadFile returns the secret in a file, without a line end at its end. An error is a *FileError for the setting; an
// empty file is one.
func ReadFile(setting, path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", &FileError{setting, err}
	}

	found := strings.TrimRight(string(text), "\r\n")
	if found == "" {
		return "", &FileError{setting, errors.New(path + " is empty; write the secret to it")}
	}

	return found, nil
}
