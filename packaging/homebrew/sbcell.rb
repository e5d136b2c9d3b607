class Sbcell < Formula
  desc "Schrödinger bridges for single-cell time courses"
  homepage "https://github.com/sbcell/sbcell"
  url "https://github.com/sbcell/sbcell/archive/refs/tags/v0.1.0.tar.gz"
  # The checksum of the archive of the tag. It exists once the tag does.
  sha256 "0000000000000000000000000000000000000000000000000000000000000000"
  license any_of: ["MIT", "Apache-2.0"]
  head "https://github.com/sbcell/sbcell.git", branch: "main"

  depends_on "rust" => :build

  def install
    system "cargo", "install", *std_cargo_args
    generate_completions_from_executable(bin/"sbcell", "completions")
    mkdir "man"
    system bin/"sbcell", "man", "man"
    man1.install Dir["man/*.1"]
    pkgshare.install "data-samples/semrau2017_mesc_ra.h5ad"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/sbcell --version")
    sample = pkgshare/"semrau2017_mesc_ra.h5ad"
    system bin/"sbcell", "run", sample, "--skip", "grn,annotate", "--out", testpath/"results"
    assert_path_exists testpath/"results/report.html"
  end
end
