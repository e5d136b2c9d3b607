#!/usr/bin/env bash
set -euo pipefail

export CARGO_PROFILE_RELEASE_STRIP=symbols
cargo-bundle-licenses --format yaml --output THIRDPARTY.yml
cargo install --locked --no-track --bins --root "${PREFIX}" --path .

# Every platform of Bioconda is built on a machine of its own kind, so the new binary runs here.
share="${PREFIX}/share"
mkdir -p "${share}/man/man1" "${share}/bash-completion/completions" "${share}/zsh/site-functions" \
  "${share}/fish/vendor_completions.d"
"${PREFIX}/bin/sbcell" man "${share}/man/man1"
"${PREFIX}/bin/sbcell" completions bash > "${share}/bash-completion/completions/sbcell"
"${PREFIX}/bin/sbcell" completions zsh > "${share}/zsh/site-functions/_sbcell"
"${PREFIX}/bin/sbcell" completions fish > "${share}/fish/vendor_completions.d/sbcell.fish"
