document.title = "网格 Wangge";
