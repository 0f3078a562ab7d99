package allinone

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/fliliy/chat/gateway"
	"github.com/fliliy/chat/gateway/config"
)

// tokenLife is how long tokens minted here last.
const tokenLife = 30 * 24 * time.Hour

// loadSecret returns the token secret of a data folder, made at the first start, so that tokens survive a restart.
func loadSecret(dataDir string) (string, error) {
	path := filepath.Join(dataDir, "jwt-secret")
	kept, err := os.ReadFile(path) //nolint:gosec // the folder is the operator's choice
	if err == nil {
		if len(kept) < config.MinSecret {
			return "", fmt.Errorf("%s holds %d bytes, at least %d are needed: delete it and a new one is made",
				path, len(kept), config.MinSecret)
		}
		return string(kept), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the token secret: %w", err)
	}
	secret := newSecret()
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		return "", fmt.Errorf("keep the token secret: %w", err)
	}
	return secret, nil
}

func newSecret() string {
	random := make([]byte, 48)
	_, _ = rand.Read(random) // never fails, by its contract
	return base64.RawURLEncoding.EncodeToString(random)
}

// devTokens mints a token for whoever asks: POST {"userId":"dave"} answers {"token":"…"}. Only a stack on a
// developer's machine may serve it.
func devTokens(secret string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			UserID string `json:"userId"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&request); err != nil {
			answer(w, http.StatusBadRequest, map[string]string{
				"code": "INVALID", "message": `the body is not JSON such as {"userId":"dave"}`,
			})
			return
		}
		token, err := gateway.SignToken(secret, request.UserID, tokenLife)
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"code": "INVALID", "message": "userId: " + err.Error()})
			return
		}
		answer(w, http.StatusOK, map[string]string{"token": token})
	})
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone: nobody to tell
}
