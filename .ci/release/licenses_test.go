package main

import (
	"strings"
	"testing"
)

const isc = `Copyright (c) 2026 Example

Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted,
provided that the above copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.
`

const unlicense = `This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software, either in source code form or
as a compiled binary, for any purpose, commercial or non-commercial, and by any means.

In jurisdictions that recognize copyright laws, the author or authors of this software dedicate any and all copyright
interest in the software to the public domain. We make this dedication for the benefit of the public at large and to the
detriment of our heirs and successors. We intend this dedication to be an overt act of relinquishment in perpetuity of
all present and future rights to this software under copyright law.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.

For more information, please refer to <http://unlicense.org/>
`

func TestCheckModule(t *testing.T) {
	tests := []struct {
		name  string
		files []licenseFile
		want  string // part of the error; empty if the module is allowed
	}{
		{"allowed", []licenseFile{{name: "LICENSE", text: isc}}, ""},
		{"no file", nil, "no license file in the root of the module"},
		{"only a folder has a file", []licenseFile{{name: "internal/LICENSE", text: isc}}, "no license file in the root"},
		{
			"unknown text", []licenseFile{{name: "LICENSE", text: "You may use this on Sundays."}},
			"LICENSE: license not recognized (0 % of the text match a known license)",
		},
		{
			"not allowed", []licenseFile{{name: "LICENSE", text: unlicense}},
			"LICENSE: license Unlicense is not in the list `allowed`",
		},
		{
			"a second file is unknown", []licenseFile{{name: "LICENSE", text: isc}, {name: "a/COPYING", text: "Ask me."}},
			"a/COPYING: license not recognized",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := checkModule(&module{path: "example.org/m", version: "v1.0.0", files: test.files})
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}

				return
			}
			if err == nil || !strings.Contains(err.Error(), "example.org/m v1.0.0: "+test.want) {
				t.Fatalf("error %v, want %q", err, test.want)
			}
		})
	}
}

func TestReviewIsForOneText(t *testing.T) {
	r := reviewed[0]
	_, err := identify(r.module, licenseFile{name: r.file, text: "another text"})
	if err == nil {
		t.Fatal("a review was taken for another text")
	}

	if err := unusedReviews(nil); err == nil || !strings.Contains(err.Error(), r.module) {
		t.Fatalf("a review of a module that is not linked: error %v", err)
	}
}
