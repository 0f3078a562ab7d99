package e2e_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// headings are the levels of a text's headings, in order. Code blocks have none.
func headings(text string) string {
	text = regexp.MustCompile("(?ms)^```.*?^```$").ReplaceAllString(text, "")
	var levels []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ `).FindAllString(text, -1) {
		levels = append(levels, strings.TrimSpace(heading))
	}
	return strings.Join(levels, " ")
}

// TestChinese holds the texts in Chinese against the English ones beside them: the same sections, the same codes and rows of
// tables that clients rely on, and links that lead somewhere.
func TestChinese(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{".", "gateway", "gateway/web/sdk"} {
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			english := readRoot(t, filepath.Join(folder, "README.md"))
			chinese := readRoot(t, filepath.Join(folder, "README.zh-CN.md"))
			if want, got := headings(english), headings(chinese); got != want {
				t.Errorf("the sections are\n%s in Chinese and\n%s in English", got, want)
			}
			if !strings.Contains(english, "(README.zh-CN.md)") || !strings.Contains(chinese, "(README.md)") {
				t.Error("the two do not name each other")
			}
			for _, link := range regexp.MustCompile(`\]\(([^):#]+)`).FindAllStringSubmatch(chinese, -1) {
				if _, err := os.Stat(filepath.Join(root, folder, link[1])); err != nil {
					t.Errorf("a link leads nowhere: %v", err)
				}
			}
		})
	}
}

// TestChineseContract holds what clients are written against: destinations, codes, events stand in both languages alike.
func TestChineseContract(t *testing.T) {
	t.Parallel()
	english, chinese := readRoot(t, "gateway/README.md"), readRoot(t, "gateway/README.zh-CN.md")
	_, english, _ = strings.Cut(english, "## Destinations\n")
	english, _, _ = strings.Cut(english, "## Limits\n")
	rows := regexp.MustCompile("(?m)^(\\| `?[A-Z0-9][A-Z0-9_, `]*|\\| `(?:SEND|SUBSCRIBE) /[^`]*`|\\{\"event\".*)").FindAllString(english, -1)
	if len(rows) < 30 {
		t.Fatalf("found only %d rows and events", len(rows))
	}
	for _, row := range rows {
		if !strings.Contains(strings.ReplaceAll(chinese, "、", ", "), strings.TrimRight(row, " |")) {
			t.Errorf("the text in Chinese lacks %q", row)
		}
	}
}
