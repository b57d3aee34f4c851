// Checkproof verifies a C2SP .tlog-proof with the Go project's own transparency log code.
//
//	checkproof VKEY-FILE LEAF-FILE PROOF-FILE
//
// It shares no code with Mortise: signature and inclusion are checked by golang.org/x/mod/sumdb/{note,tlog}.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 4 {
		fail("usage", fmt.Errorf("checkproof VKEY-FILE LEAF-FILE PROOF-FILE"))
	}
	verifier, err := note.NewVerifier(strings.TrimSuffix(read(os.Args[1]), "\n"))
	fail("key", err)
	head, checkpoint, found := strings.Cut(read(os.Args[3]), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || lines[0] != "c2sp.org/tlog-proof@v1" {
		fail("proof", fmt.Errorf("not a c2sp.org/tlog-proof@v1"))
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		fail("proof", fmt.Errorf("no index line"))
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "index "), 10, 64)
	fail("index", err)
	var path tlog.RecordProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		fail("hash", err)
		path = append(path, hash)
	}

	signed, err := note.Open([]byte(checkpoint), note.VerifierList(verifier))
	fail("signature", err)
	text := strings.Split(signed.Text, "\n")
	if len(text) < 4 || text[0] != verifier.Name() {
		fail("checkpoint", fmt.Errorf("not a checkpoint of %s", verifier.Name()))
	}
	size, err := strconv.ParseInt(text[1], 10, 64)
	fail("size", err)
	root, err := tlog.ParseHash(text[2])
	fail("root", err)
	fail("inclusion", tlog.CheckRecord(path, size, root, index, tlog.RecordHash([]byte(read(os.Args[2])))))
	fmt.Printf("OK: entry %d of %d in %s\n", index, size, verifier.Name())
}

func read(name string) string {
	data, err := os.ReadFile(name)
	fail("read", err)
	return string(data)
}

func fail(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "REFUSED: %s: %v\n", what, err)
		os.Exit(1)
	}
}
