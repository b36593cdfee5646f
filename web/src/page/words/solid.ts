/** The view in three dimensions: `[English, Chinese]`. */

export const SOLID = {
  "solid.title": ["3-D", "三维"],
  "solid.about": [
    "Surfaces in three dimensions. Arrow keys turn them, plus and minus zoom.",
    "三维表面。方向键旋转，加减键缩放。",
  ],
  "solid.show": ["Show in 3-D", "三维显示"],
  "solid.loading": ["Making the surfaces", "正在生成表面"],
  "solid.failed": ["The surfaces could not be fetched. {why}", "无法获取表面。{why}"],
  "solid.noWebgl": [
    "This browser has no WebGL, which the view in 3-D needs. The slices show all without it.",
    "此浏览器不支持 WebGL，无法三维显示；各断面不受影响。",
  ],
  "solid.empty": ["Nothing that was found has a surface.", "检出的目标均无表面。"],
  "solid.enlarge": ["Enlarge: 3-D, or back", "放大三维视图或还原"],
  "solid.opacity": ["Opacity of the surfaces", "表面的不透明度"],
  "solid.slices": ["Slices", "层面"],
  "solid.slicesAbout": ["Show the slices among the surfaces", "在表面之间显示层面图像"],
  "solid.from": ["Seen from", "观察方向"],
  "solid.A": ["From the front", "前面观"],
  "solid.P": ["From behind", "后面观"],
  "solid.L": ["From the left", "左侧观"],
  "solid.R": ["From the right", "右侧观"],
  "solid.S": ["From the head", "头侧观"],
  "solid.I": ["From the feet", "足侧观"],
} as const;
