package security

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Lock is one check, and the proof that something watches it.
type Lock struct {
	// Name says what gets in without it; unique in its file.
	Name string `json:"name"`
	// Row is the row of THREATS.md that it closes.
	Row int `json:"row"`
	// File is where it stands, from the root of the repository.
	File string `json:"file"`
	// Check is its text, which File has exactly once.
	Check string `json:"check"`
	// Without replaces the text; the package still compiles.
	Without string `json:"without"`
	// Package holds the test, as a folder from the root: gateway/internal/auth.
	Package string `json:"package"`
	// Test must fail without the check: TestName, or TestName/case.
	Test string `json:"test"`
	// Area is the file's name without .json.
	Area string `json:"-"`
}

// Folder is where the files of locks are, from the root of the repository: a list of Lock each.
const Folder = "deploy/security/locks"

// Load reads all locks of the repository at root, file by file. A field that is missing or unknown is an error.
func Load(root string) ([]Lock, error) {
	files, err := filepath.Glob(filepath.Join(root, Folder, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no locks in %s: %w", filepath.Join(root, Folder), errors.Join(err, os.ErrNotExist))
	}
	var all []Lock
	for _, file := range files {
		locks, err := loadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		all = append(all, locks...)
	}
	return all, nil
}

func loadFile(file string) ([]Lock, error) {
	text, err := os.ReadFile(file) //nolint:gosec // one of our own files
	if err != nil {
		return nil, err
	}
	var locks []Lock
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&locks); err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for i := range locks {
		l := &locks[i]
		l.Area = strings.TrimSuffix(filepath.Base(file), ".json")
		switch {
		case l.Name == "" || l.File == "" || l.Check == "" || l.Package == "" || l.Test == "" || l.Row == 0:
			return nil, fmt.Errorf("lock %d (%q): name, row, file, check, package and test are needed", i+1, l.Name)
		case l.Check == l.Without:
			return nil, fmt.Errorf("lock %q: without is the check itself", l.Name)
		case names[l.Name]:
			return nil, fmt.Errorf("lock %q stands there twice", l.Name)
		}
		names[l.Name] = true
	}
	return locks, nil
}

// TakenOff returns the source of the lock's file without the check. A text that is not there exactly once is an error:
// nobody could say which one is the lock.
func (l *Lock) TakenOff(root string) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(root, l.File)) //nolint:gosec // one of our own files
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", l.Name, err)
	}
	if count := bytes.Count(source, []byte(l.Check)); count != 1 {
		return nil, fmt.Errorf("lock %q: %s has its text %d times, want once", l.Name, l.File, count)
	}
	return bytes.Replace(source, []byte(l.Check), []byte(l.Without), 1), nil
}
