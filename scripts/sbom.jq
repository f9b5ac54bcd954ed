# SPDX-License-Identifier: GPL-2.0-only
#
# Print the tables that sbom.sh collects as an SPDX 2.3 document.

def rows: split("\n") | map(select(. != "") | split("\t"));

# The name, version and purl of a package, by the name of its file; for any other file, its name and no version.
def purl($type; $name; $version; $arch): [$name, $version, "pkg:\($type)/\($name)@\($version | @uri)?arch=\($arch)"];
def package:
	. as $where | split("/") | last |
	if endswith(".deb") then rtrimstr(".deb") | gsub("%2b"; "+") | gsub("%3a"; ":") |
		(capture("^(?<name>[^_]+)_(?<version>[^_]+)_(?<arch>[^_]+)$") // error("\($where): not a package's file name")) |
		purl("deb/debian"; .name; .version; .arch)
	elif endswith(".rpm") then rtrimstr(".rpm") |
		(capture("^(?<name>.+)-(?<version>[^-]+-[^-]+)\\.(?<arch>[^.]+)$") //
			error("\($where): not a package's file name")) |
		purl("rpm"; .name; .version; .arch)
	else [split("@")[0], "-", "-"] end;

# An SPDX identifier: letters, digits, "." and "-"; any other character becomes its code.
def id($kind): "SPDXRef-\($kind)-" + ([explode[] |
	if (. >= 48 and . <= 57) or (. >= 65 and . <= 90) or (. >= 97 and . <= 122) or . == 46 or . == 45
	then [.] | implode else "-\(.)-" end] | join(""));

def checksums($sha1; $sha256): [
	{algorithm: "SHA1", checksumValue: $sha1},
	{algorithm: "SHA256", checksumValue: $sha256}
];

def licence: if . == null or . == "" then "NOASSERTION" else . end;

# The licences of all of these, as one expression.
def all_of: map(select(. != null and . != "")) | unique |
	if length == 0 then "NOASSERTION"
	elif length == 1 then .[0]
	else map(if test(" ") then "(\(.))" else . end) | join(" AND ") end;

def relation($from; $type; $to): {spdxElementId: $from, relationshipType: $type, relatedSpdxElement: $to};

def file($kind; $name; $sha1; $sha256; $concluded; $found; $types): {
	SPDXID: ($name | id($kind)), fileName: "./\($name)", checksums: checksums($sha1; $sha256),
	licenseConcluded: $concluded, licenseInfoInFiles: [$found], copyrightText: "NOASSERTION", fileTypes: $types
};

# The module that a file of the output belongs to, by its name in list-sources.sh's output.
def module_of: ltrimstr("debug/") | ltrimstr("modules/") | ltrimstr("kernel/") | rtrimstr(".debug") | rtrimstr(".ko");

($files | rows) as $files |
($project | rows) as $project |
($packages | rows | map(. + (.[2] | package))) as $packages |
($sources | rows) as $sources |
($sources | map(select(.[1] != "-"))) as $compiled |
($compiled | group_by(.[0]) | map({key: .[0][0], value: map(.[4]) | all_of}) | from_entries) as $licences |
"SPDXRef-modules" as $delivery |
{
	spdxVersion: "SPDX-2.3",
	dataLicense: "CC0-1.0",
	SPDXID: "SPDXRef-DOCUMENT",
	name: "wireguard-\($release)",
	documentNamespace: "urn:wgkmod:sbom:\($release):\($content)",
	creationInfo: {created: "1970-01-01T00:00:00Z", creators: ["Tool: wgkmod"]},
	packages: ([{
		SPDXID: $delivery, name: "wireguard", versionInfo: $release, downloadLocation: "NOASSERTION",
		filesAnalyzed: true,
		packageVerificationCode: {packageVerificationCodeValue: $verification,
			packageVerificationCodeExcludedFiles: ["./SHA256SUMS", "./provenance.json", "./sbom.spdx.json"]},
		licenseConcluded: (($compiled | map(.[4])) + ($project | map(.[3])) | all_of),
		licenseDeclared: "NOASSERTION",
		licenseInfoFromFiles: (($compiled | map(.[4])) + ($project | map(.[3])) |
			map(select(. != null and . != "")) | unique | if length == 0 then ["NOASSERTION"] else . end),
		copyrightText: "NOASSERTION"
	}] + ($packages | map({
		SPDXID: (.[1] | id("package")), name: .[3],
		downloadLocation: (if .[2] | test("^https?://") then .[2] else "NOASSERTION" end),
		packageFileName: .[2], filesAnalyzed: false, checksums: [{algorithm: "SHA256", checksumValue: .[1]}],
		licenseConcluded: "NOASSERTION", licenseDeclared: "NOASSERTION", copyrightText: "NOASSERTION"
	} + (if .[4] == "-" then {} else {versionInfo: .[4],
		externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: .[5]}]} end)))),
	files: (($files | map(
			if .[2] | test("\\.ko(\\.debug)?$") then
				file("file"; .[2]; .[0]; .[1]; $licences[.[2] | module_of] | licence; "NOASSERTION"; ["BINARY"])
			elif .[2] == "wgkmod" then file("file"; .[2]; .[0]; .[1]; "GPL-2.0-only"; "NOASSERTION"; ["BINARY", "APPLICATION"])
			else file("file"; .[2]; .[0]; .[1]; "GPL-2.0-only"; "NOASSERTION"; ["TEXT"]) end)) +
		($compiled | unique_by(.[1]) | map(file("source"; .[1]; .[2]; .[3]; .[4] | licence; .[4] | licence; ["SOURCE"]))) +
		($project | map(file("project"; .[2]; .[0]; .[1]; .[3] | licence; .[3] | licence; ["SOURCE"])))),
	relationships: ([relation("SPDXRef-DOCUMENT"; "DESCRIBES"; $delivery)] +
		($files | map(relation($delivery; "CONTAINS"; .[2] | id("file")))) +
		($files | map(select(.[2] | test("\\.ko(\\.debug)?$")) | (.[2] | id("file")) as $made | (.[2] | module_of) as $ko |
			$compiled[] | select(.[0] == $ko) | relation($made; "GENERATED_FROM"; .[1] | id("source")))) +
		($project | map(relation("wgkmod" | id("file"); "GENERATED_FROM"; .[2] | id("project")))) +
		($packages | map(select(.[0] == "source") | (.[1] | id("package")) as $archive |
			$compiled | unique_by(.[1]) | map(relation(.[1] | id("source"); "EXPANDED_FROM_ARCHIVE"; $archive))) | add // []) +
		($packages | map(select(.[0] != "source") | relation(.[1] | id("package");
			if .[3] | test("^(linux-headers|kernel-devel)") then "BUILD_DEPENDENCY_OF" else "BUILD_TOOL_OF" end; $delivery))))
}
