/** Toolbar, tools, keyboard help: `[English, Chinese]`. */

export const TOOLS = {
  "tool.bar": ["View", "视图"],
  "tool.window": ["Window", "窗宽窗位"],
  "tool.windowIs": ["C {centre}  W {width}", "窗位 {centre}  窗宽 {width}"],
  "tool.presetAbout": [
    "Centre {centre}, width {width} (W: next)",
    "窗位 {centre}，窗宽 {width}（W：下一个）",
  ],
  "window.Soft tissue": ["Soft tissue", "软组织窗"],
  "window.Lung": ["Lung", "肺窗"],
  "window.Bone": ["Bone", "骨窗"],
  "window.Brain": ["Brain", "脑窗"],
  "window.Full": ["Full", "全范围"],
  "window.As it is": ["As it is", "原始"],
  "window.Contrast": ["Contrast", "自动对比度"],
  "tool.outlines": ["Outlines", "轮廓"],
  "tool.fill": ["Fill", "填充"],
  "tool.fillAbout": ["Opacity of the areas", "区域的不透明度"],
  "tool.crosshair": ["Crosshair", "定位线"],
  "tool.smooth": ["Smooth", "平滑"],
  "tool.reset": ["Reset", "复位"],
  "help.title": ["Keyboard and mouse", "键盘与鼠标"],
  "help.close": ["Close", "关闭"],
} as const;
