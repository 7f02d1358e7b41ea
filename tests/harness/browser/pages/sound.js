document.querySelector("#script").textContent = "Scripts ran";
