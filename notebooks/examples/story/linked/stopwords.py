"""Words of questions that are hardly ever values: frequent in training questions, rare in their SQL's constants."""

from __future__ import annotations

_ENGLISH = """
a about above account accounts address after against age air aired album all alphabetical also amount an and any are
area artist artists as ascending assists associated at attendance attended author available average away balance be
been before being belong between birth born both bronze building built by call can candidate candidates capacity
captain car catalog channel chassis circuit cities class classification club clubs coach code codes colleges color
common companies company competition conference constructor corresponding could count countries country course courses
crowd customer customers date dates department departments descending description details did different directed
director distance distinct district do document documents does doubles draft drafted drawn driver duration during each
earliest elected election employee employees ended engine enrollment entrant entry episode episodes event events every
faculty fastest film final find finish first for format founded frequency from game games gender genre get give goals
got greater greatest grid had has have having he head height held hello higher highest his home hometown host hours
how i id ids if in incumbent institution instructors is issue it its know label lane language lap laps larger largest
last latest leading least leg length less letter list listed live located location locations loss losses lower lowest
made manager manufacturer many margin market match matches maximum me medals member members method minimum model money
more most mountains movie much name named names nation nationality network nickname notes number numbers of office on
one only opened opponent opponents or order ordered orders original originally other outcome over overall par partner
party people per percentage person phone pick place play played player players playing plays please point points pole
population position positions power price prices prize produced product production products professors project provide
province qual race rank ranked ranking rate rating rebounds received recent record recorded region release released
report result results retired return rider role room rooms round rounds s salary schools score scored scorer scores
season service set share ships show shows side sign silver singles site size smaller smallest some song songs sorted
source speed staff stage start station stations status student students sum surface table team teams tell than thank
that the their them theme there these they this those tie time times title titled titles to took top total tournament
track tracks tries two type types under used value venue version victory viewers visiting visitor votes want was week
weeks weight went were what when where which who whose win wines winner winning wins with won word written wrote year
years yes you
"""
ENGLISH_STOPWORDS = frozenset(_ENGLISH.split())

_CHINESE_PAIRS = """
一下 一个 一些 一共 一年 一次 上的 上述 下的 下这 不同 不少 不是 业的 两个 个人 个公 个呢 个国 个地 个城 个学 个最
个有 个的 中哪 中最 中有 中的 中谁 主要 举办 么名 么呢 么多 么时 么样 么类 之前 之后 之间 了什 了哪 了多 了解 于什
于哪 些不 些人 些公 些国 些在 些地 些城 些学 些是 些有 些没 产品 人呢 人数 人是 人的 什么 仅显 今年 介绍 从多 从大
从小 从高 他们 他在 他是 他的 代码 以上 以及 们中 们分 们叫 们各 们在 们所 们是 们有 们的 们都 价格 任何 位于 位置
低于 低排 低的 住在 体是 体的 你知 使用 便宜 信息 值是 公司 共有 关于 关的 其中 其他 具体 再列 况如 几个 出他 出名
出它 出所 出来 出每 出现 出这 分别 分是 列出 别在 别是 别有 到低 到多 到大 到小 到少 前有 前的 加上 包含 历史 去掉
参加 及其 受欢 另外 只列 只显 只有 叫什 可以 号是 号码 司的 各个 各有 同时 同的 名为 名和 名字 名是 名的 名称 听说
告诉 员工 员的 和最 品的 哪一 哪个 哪些 哪位 哪家 哪种 哪里 喜欢 国家 国的 在什 在哪 在的 在这 地区 地址 地方 地点
均值 型是 型的 城市 复的 多到 多大 多少 多的 多长 大于 大值 大到 大的 她的 好像 好吧 好奇 好的 如何 如果 姓名 字和
字是 字母 学校 学生 学的 它们 它在 它属 它是 它有 它的 客户 家公 家的 对应 小到 小排 小的 少个 少人 少位 少呢 少场
少排 少有 少次 少的 少种 少钱 展示 属于 工作 已经 市呢 市场 市的 常见 平均 年份 年的 年龄 并按 序排 应的 应该 开始
很多 很好 得了 得最 怎么 总共 总数 情况 想了 想去 想知 感觉 成立 我他 我们 我它 我很 我想 我所 我有 我每 我的 我看
我还 我这 户的 所在 所有 找出 找到 拥有 按字 按照 排列 排名 排序 推荐 提供 数从 数据 数是 数最 数量 日期 时候 时列
时显 时间 是什 是哪 是在 是多 是怎 是最 是由 是谁 显示 最低 最便 最后 最多 最大 最小 最少 最常 最早 最近 最长 最高
有一 有两 有什 有信 有关 有几 有哪 有多 有最 有没 有的 有这 期是 来自 样的 根据 格是 次数 欢迎 母顺 每个 每位 每种
比较 比这 没有 状态 现在 生的 用的 的主 的产 的人 的代 的价 的作 的信 的公 的出 的名 的吗 的员 的呢 的哪 的国 的地
的城 的姓 的学 的客 的工 的平 的年 的开 的总 的所 的数 的日 的时 的是 的最 的有 的电 的类 的话 的详 的那 目前 相关
看一 看来 看看 知道 示他 示它 示所 示每 种不 种类 称和 称是 立时 立的 第一 类型 细信 绍一 结果 给出 给我 统计 编号
能告 自哪 至少 获得 行排 行的 解一 计算 记录 评分 诉我 详细 请列 请告 请给 请问 谁是 谁的 超过 过哪 过的 近有 还是
还有 这两 这个 这么 这些 这家 这是 这样 这种 这里 进行 道有 那个 那些 那他 那它 那最 那这 都在 都是 都有 里有 里的
里面 重复 量从 量和 量是 量最 量有 金额 销售 长的 间是 间最 降序 除了 需要 顺序 额是 高于 高到 高的
"""
CHINESE_BIGRAMS = frozenset(_CHINESE_PAIRS.split())
"""Two letters that stand together in questions about many databases."""

CHINESE_LETTERS = frozenset(
    "一下不两个为么之也了于些人什从他以们份位低体何作信候公共关其具几出分列别到前加去及只叫可各同名后吗吧告员呢和哪啊在地均型多好如姓字它家对少属市平年序应开很得怎总息想成我所按排数方日"
    "时是显最有期来果样次每比没照现生用的目看知示种称类给行要诉该请谁超过近还这道那都里量问间高"
)
