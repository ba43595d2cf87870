package secret_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gal-friday/marketdata/adapters/secret"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for text, want := range map[string]string{
		"word": "word", "word\n": "word", "word\r\n": "word", " two words \n": " two words ", "": "", "\n\n": "",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}

		got, err := secret.ReadFile("token_file", path)
		var file *secret.FileError
		if got != want || (err == nil) != (want != "") ||
			err != nil && (!errors.As(err, &file) || !strings.HasPrefix(err.Error(), "token_file: "+path+" is empty")) {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}

	if _, err := secret.ReadFile("token_file", path+".absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
