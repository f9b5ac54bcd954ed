# SPDX-License-Identifier: GPL-2.0-only
#
# The catalogue page of an index, as HTML without script.  Input: index.json; $language: en or zh-CN.

def texts: {
	"en": {
		title: "WireGuard modules",
		other: "<a href=\"index.zh-CN.html\" lang=\"zh-CN\" hreflang=\"zh-CN\">中文</a>",
		yours: "Your kernel",
		ask: "Run this command on the host. Then look for what it prints in the list below.",
		list: "Covered kernels",
		none: "No kernel is covered yet.",
		kernel: "Kernel", proofs: "Proofs", bundle: "Bundle",
		install: "Install",
		once: "Once for a host, as root: install the publisher’s key. Compare it with the key that the publisher gave you by another way.",
		lines: "For each kernel, as root. The first line downloads the bundle and its signature. The second prints the bundle’s sha256: before you go on, compare it with the one that the publisher gave you by another way, as nothing else vouches for the first wgkmod. The third takes wgkmod out of the bundle. The fourth proves that the modules fit, installs and loads them.",
		again: "If wgkmod is installed already, two commands are enough: the first line, and wgkmod install --load with the bundle’s name.",
		base: "BASE is the address of this page, without the file name.",
		symbols: "symbol versions equal to the kernel’s",
		unversioned: "the kernel has no symbol versions",
		boot: {"passed": "booted in a virtual machine, with a tunnel", "not run": "not booted"},
		parity: {"passed": "the vendor’s own code, byte by byte", "not run": "not compared with the vendor’s modules",
			"not applicable": "the vendor has no modules to compare with"},
		repro: {"passed": "built twice with the same bits", "not run": ""},
		unproven: "Not proved: published on the publisher’s word.",
		replaces: "It replaces the bundle with sha256",
		package: "package", dnf: "Where the publisher’s repository is set up, dnf installs the modules:",
		withdrawn: "Withdrawn", withdrawn_why: "Do not use these bundles any more. Remove their modules with wgkmod remove --kernel and the kernel’s release.",
		provenance: "provenance", sbom: "bill of materials", explain: "what was built and why", statement: "proofs",
		not_covered: "What is not covered",
		from: "from version", on: "on: this distribution ships WireGuard itself; run modprobe wireguard.",
		missing: "A kernel that is neither here nor above is not covered: its modules were not built. Do not install those of another kernel; wgkmod refuses them.",
		keys: "Keys",
		key: "Key", fingerprint: "public key",
		foot: "Generation", index: "The same as data"
	},
	"zh-CN": {
		title: "WireGuard 内核模块",
		other: "<a href=\"index.html\" lang=\"en\" hreflang=\"en\">English</a>",
		yours: "您的内核",
		ask: "请在主机上运行上面的命令，然后在下面的列表中查找它输出的版本。",
		list: "已支持的内核",
		none: "目前还没有支持任何内核。",
		kernel: "内核", proofs: "证明", bundle: "安装包",
		install: "安装",
		once: "每台主机只需一次（以 root 身份）：安装发布者的公钥。请与发布者通过其他途径给您的公钥核对。",
		lines: "每个内核（以 root 身份）：第一行下载安装包及其签名。第二行显示安装包的 sha256：继续之前，请与发布者通过其他途径给您的值核对，首次使用的 wgkmod 没有其他保证。第三行从安装包中取出 wgkmod。第四行证明模块与内核匹配，然后安装并加载。",
		again: "如果已经安装 wgkmod，两条命令即可：上面的第一行，以及 wgkmod install --load 加安装包的文件名。",
		base: "BASE 是本页面的地址，不含文件名。",
		symbols: "个符号版本与内核一致",
		unversioned: "该内核没有符号版本",
		boot: {"passed": "已在虚拟机中启动并建立隧道", "not run": "未做启动测试"},
		parity: {"passed": "与发行版自己的代码逐字节一致", "not run": "未与发行版的模块比较",
			"not applicable": "发行版没有可供比较的模块"},
		repro: {"passed": "两次构建结果逐比特相同", "not run": ""},
		unproven: "未经证明：仅凭发布者的声明发布。",
		replaces: "它替换了 sha256 为以下值的安装包：",
		package: "软件包", dnf: "如果已经配置发布者的软件仓库，可用 dnf 安装模块：",
		withdrawn: "已撤回", withdrawn_why: "请不要再使用这些安装包。用 wgkmod remove --kernel 加内核版本移除其模块。",
		provenance: "来源证明", sbom: "物料清单", explain: "构建内容及原因", statement: "证明记录",
		not_covered: "不支持的内核",
		from: "自版本", on: "起：该发行版自带 WireGuard，请运行 modprobe wireguard。",
		missing: "不在本页面上的内核不受支持：没有为它构建模块。请不要安装其他内核的模块，wgkmod 会拒绝。",
		keys: "密钥",
		key: "密钥", fingerprint: "公钥",
		foot: "代次", index: "数据形式"
	}
}[$language];

def style: "
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 0 auto; padding: 0 1rem 3rem; background: #fff; color: #1b1b1b; }
h1 { line-height: 1.2; }
a { color: #0b4f9e; }
pre { padding: .75rem; white-space: pre-wrap; overflow-wrap: anywhere; background: #f1f1f1; border: 1px solid #bbb; }
code, pre { font-family: ui-monospace, monospace; font-size: .9rem; }
p code, li code, td code, th code, dd { overflow-wrap: anywhere; }
summary { font-weight: bold; padding: .5rem 0; cursor: pointer; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .5rem .5rem .5rem 0; border-top: 1px solid #bbb; }
tbody th { width: 16rem; }
td ul { margin: 0; padding-left: 1.1rem; }
tr:target { outline: 3px solid #b35900; }
dd { margin: 0 0 .75rem; }
@media (max-width: 48rem) {
	table, tbody, tr, th, td { display: block; width: auto; }
	tbody th { width: auto; }
	thead { display: none; }
	th, td { border: 0; padding: .2rem 0; }
	tr { border-top: 1px solid #bbb; padding: .5rem 0; }
}
@media (prefers-color-scheme: dark) {
	body { background: #161616; color: #eee; }
	a { color: #8ec5ff; }
	pre { background: #262626; border-color: #666; }
}
";

# The lines to paste; BASE stands for an address that is not known.
def address: .base // "$BASE";
def first_lines: if .base then [] else ["BASE=https://…"] end;
def pre: "<pre><code>\(join("\n") | @html)</code></pre>";

def proof_items($t):
	.proofs as $p | [
		(if $p.symbols > 0 then "\($p.symbols) \($t.symbols)" else $t.unversioned end),
		$t.boot[$p.boot], $t.parity[$p.parity], $t.repro[$p.repro],
		(if $p.boot == "not run" then $t.unproven else null end)
	] | map(select(. != null and . != "") | "<li>\(@html)</li>") | join("");

def row($t):
	(.release | @html) as $r | (.release | @uri) as $dir
	| "<tr id=\"\($r)\"><th scope=\"row\"><a href=\"#\($dir)\"><code>\($r)</code></a></th>"
	+ "<td><ul>\(proof_items($t))</ul></td>"
	+ "<td>"
	+ "<a href=\"\(.bundle.file | @uri | gsub("%2F"; "/"))\">wireguard-\($r).tar</a>, \(.bundle.size) B<br>"
	+ "sha256 <code>\(.bundle.sha256)</code><br>"
	+ (if .bundle.replaces then "\($t.replaces) <code>\(.bundle.replaces)</code><br>" else "" end)
	+ (if .rpm then "\($t.package) <a href=\"\(.rpm.file | @uri | gsub("%2F"; "/"))\">\(.rpm.name | @html)</a><br>" else "" end)
	+ "<a href=\"\($dir)/provenance.json\" aria-label=\"\($t.provenance) \($r)\">\($t.provenance)</a>, "
	+ "<a href=\"\($dir)/sbom.spdx.json\" aria-label=\"\($t.sbom) \($r)\">\($t.sbom)</a>, "
	+ "<a href=\"\($dir)/explain.txt\" aria-label=\"\($t.explain) \($r)\">\($t.explain)</a>"
	+ (if .proofs.boot == "passed" then
		", <a href=\"\($dir)/wireguard-\($dir).tar.proofs.json\" aria-label=\"\($t.statement) \($r)\">\($t.statement)</a>"
		else "" end)
	+ "</td></tr>";

def family($t):
	"<details open><summary>\(.[0].distribution | @html) (\(length))</summary>\n<table>\n<thead><tr>"
	+ "<th scope=\"col\">\($t.kernel)</th><th scope=\"col\">\($t.proofs)</th><th scope=\"col\">\($t.bundle)</th></tr></thead>\n"
	+ "<tbody>\n\(map(row($t)) | join("\n"))\n</tbody>\n</table></details>";

texts as $t | address as $base | first_lines as $first
| "<!DOCTYPE html>
<html lang=\"\($language)\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>\($t.title)</title>
<style>\(style)</style>
</head>
<body>
<header>
<p>\($t.other)</p>
<h1>\($t.title)</h1>
</header>
<main>
<h2>\($t.yours)</h2>
\(["uname -r"] | pre)
<p>\($t.ask)</p>
<h2>\($t.list)</h2>
\(if .kernels == [] then "<p>\($t.none)</p>" else
	[.kernels | group_by(.distribution)[] | family($t)] | join("\n") end)
<h2>\($t.install)</h2>
\(if .base then "" else "<p>\($t.base)</p>" end)
<p>\($t.once)</p>
\(($first + [.keys[] | "curl -f --create-dirs -o /etc/wgkmod/keys.d/\(.id).pub \($base)/\(.file)"]) | pre)
<p>\($t.lines)</p>
\(($first + [
	"curl -f -O \($base)/$(uname -r)/wireguard-$(uname -r).tar -O \($base)/$(uname -r)/wireguard-$(uname -r).tar.minisig",
	"sha256sum wireguard-$(uname -r).tar",
	"tar -xOf wireguard-$(uname -r).tar $(uname -r)/wgkmod >wgkmod && chmod +x wgkmod",
	"./wgkmod install --load wireguard-$(uname -r).tar"
]) | pre)
<p>\($t.again)</p>
\(if any(.kernels[]; .rpm) then "<p>\($t.dnf)</p>\n\(["dnf install kmod-wireguard-$(uname -r)", "modprobe wireguard"] | pre)\n" else "" end)
<h2>\($t.not_covered)</h2>
<ul>
\(.not_covered | map("<li>\(.distribution | @html), \($t.from) \(.from | @html) \($t.on)</li>") | join("\n"))
<li>\($t.missing)</li>
</ul>
\(if .withdrawn == [] then "" else "<h2>\($t.withdrawn)</h2>\n<p>\($t.withdrawn_why)</p>\n<ul>\n"
	+ (.withdrawn | map("<li><code>\(.release | @html)</code>, sha256 <code>\(.sha256)</code>: \(.reason | @html)</li>") | join("\n"))
	+ "\n</ul>\n" end)
<h2>\($t.keys)</h2>
<dl>
\(.keys | map("<dt>\($t.key) <code>\(.id)</code></dt>\n<dd>\($t.fingerprint): <a href=\"\(.file)\"><code>\(.public | @html)</code></a></dd>") | join("\n"))
</dl>
</main>
<footer><p>\($t.foot) \(.generation). \($t.index): <a href=\"index.json\">index.json</a>, <a href=\"index.json.minisig\">index.json.minisig</a>, <a href=\"SHA256SUMS\">SHA256SUMS</a>.</p></footer>
</body>
</html>"
